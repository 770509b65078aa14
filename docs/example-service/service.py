"""A support desk: a model answers the customer, and where none can in time, a sentence that a person will."""

from __future__ import annotations

from dataclasses import dataclass

from failover import CallError, Router

SORRY = "Thank you. A colleague will write to you within the hour."
INSTRUCTIONS = "You work for a bicycle shop. Answer the customer in two sentences."


@dataclass(frozen=True)
class Answer:
    """What the customer reads, and who wrote it: a target of the config, or `a person` who will."""

    text: str
    by: str


class SupportDesk:
    """Answers questions; never raises because of a provider, and never lets a customer wait for long."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self.for_people: list[str] = []

    async def answer(self, question: str) -> Answer:
        """The model's answer, or the sentence that is true whatever happens."""
        messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": question}]
        try:
            reply = await self._router.acompletion("support", messages, max_tokens=200)
        except CallError:
            self.for_people.append(question)
            return Answer(SORRY, "a person")
        return Answer(reply.choices[0].message.content, reply.failover.target)

"""Does the written file show it again? Drilled from the file, as whoever gets it will."""

from __future__ import annotations

from pathlib import Path

from failover.chaos.drill import run_drill
from failover.chaos.meeting import SkippedDrill
from failover.chaos.scenario import Scenario, load_scenario
from failover.chaos.search.trials import CRASH, Violation
from failover.errors import CassetteError, ConfigError


def seen_again(file: Path, violation: Violation, seed: int, mode: str) -> str:
    """`yes`, `no, ...` or `not asked, ...`: whether a drill of `file` in `mode` shows `violation`."""
    try:
        return _seen_again(load_scenario(file), violation, seed, mode)
    except SkippedDrill as skip:
        return f"not asked: {skip}"
    except (ConfigError, CassetteError) as error:
        return f"no, it cannot be drilled so: {error}"
    except Exception as error:
        if violation.name != CRASH:
            raise
        return f"yes, it raises {type(error).__name__}"


def _seen_again(scenario: Scenario, violation: Violation, seed: int, mode: str) -> str:
    if mode not in scenario.modes:
        return f"not asked: such a workload is only for {', '.join(scenario.modes)}"
    verdict = run_drill(scenario, seed=seed, mode=mode)
    broken = [each.name for each in verdict.invariants if not each.kept]
    broken += [each.name for each in verdict.expectations if not each.ok]
    if violation.name in broken:
        return "yes"
    return f"no: {verdict.verdict.value}" + (f", it broke {', '.join(broken)} instead" if broken else "")

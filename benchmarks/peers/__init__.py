"""Other clients as subjects, set up as their documentation says, with every measure of resilience on."""

"""Security rules on what comes from the upstream. Pure: facts and settings in, verdicts out."""

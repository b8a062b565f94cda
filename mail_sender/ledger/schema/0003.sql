-- A summary counts the attempts of the last day by verdict, and finds the last one that was accepted.

CREATE INDEX IF NOT EXISTS attempt_verdict ON attempt (verdict, at);

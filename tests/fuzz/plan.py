"""What is fuzzed, and how much of each `make fuzz` tries: 50,000 cases, in a few minutes of one core."""

from tests.fuzz import answers, configurations, replies

TARGETS = {target.name: target for target in (configurations.TARGET, answers.TARGET, replies.TARGET)}
COUNTS = {"configurations": 20_000, "answers": 15_000, "replies": 15_000}

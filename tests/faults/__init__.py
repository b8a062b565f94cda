r"""The fault campaign: everything that can go wrong does, and what relay and API have seen decides.

    make faults                         the whole plan; a table, and a line for each broken invariant
    make faults FAMILY=F2 SEED=7        one family
    python -m tests.faults --family F2 --seed 7 --case 'down-00123-RST'     one case; with its log, if it fails
    make faults CONNECTIONS=16          the same with 16 connections to each relay, which offers PIPELINING (`setting`)
    make faults LEDGER=postgresql       the same with the ledgers in a PostgreSQL, which is started for it (`rig_ledger`)
    python -m tests.faults --slice      what make test runs (test_campaign.py), in one setting

How a family is written
-----------------------
A family (`family`) is a file `fNN.py` with a `FAMILY`; nothing else has to know it. A case has a name and a `play`, an async
function of a `Rig`. The play sets its faults, queues mail, starts the sender, and waits until the fault has happened:

    async def refuses_once(rig: Rig) -> None:
        rig.relay.behave = first(Behaviour(replies={Step.RCPT: b"451 4.7.1 try later\r\n"}))
        rig.mail()                      # a test message to an address of its own; reset=True for a reset link
        await rig.start()
        await rig.drained()

    FAMILY = Family("F1", "odd replies", lambda seed: [Case("RCPT 451", refuses_once, exactly_once=True)])

What comes after is the campaign's: it mends relay and API, lets the sender drain, watches for late copies, and
checks I1 to I13 (`oracle`). So a play need not drain by itself, unless its faults go by connections or calls.

- Time: `rig.clock` runs a thousand times faster than the world, and the sender lives in it: two minutes are 0.12 s.
  Network deadlines are real seconds; a case with stalls shortens them by `Case(seconds=1.0)`.
- Relay (`rig_behaviour`): `rig.relay.behave = first(Behaviour(...), connections=2)`; `await rig.listen(implicit=False)` for STARTTLS;
  `await rig.relay.down()`, `await rig.relay.listen()` for one that is dead and comes back. Wait for what it saw by
  `await rig.changes.until(lambda: len(rig.relay.mails) == 1)`: it is rung by relay, API and ledger alike.
- API: `rig.api.fault(status(503), path="_sent", times=3)`, and `reset`, `hang`, `lose_answer`, `truncate(n)` of
  the stub's `exchange`, or a function of an `Exchange`. `rig.api.store` is the stub's own.
- Around the Protocols: before the start, `rig.wraps.ledger = lambda ledger: tapped(ledger, before=hook)`; the same for
  `source` and `transport`. A hook gets the method's name and arguments, and may wait, raise, or kill the process.
- Death: `await rig.crash()` leaves the ledger as kill -9 does; `await rig.start()` starts the next process. For a
  process of its own: hand it `rig.place.to_json()`, there `assemble(Place.from_json(text), wraps)`, and run its
  `worker`; relay, API and clock are the same ones. What it prints goes into `rig.texts`, which is searched for secrets.
- The rows: `await rig.rows()`, wherever they lie (`rig.home`); `rig.place.ledger` is the file; `dataclasses.replace(rig.place, ...)` for other settings before the start.
- What a case knows better: `rig.queued[-1] = replace(queued, may_fail=True)` where a fault is an answer for good,
  `rig.aimed.add(id)` for messages that a fault is meant for (I8).
- What an operator runs beside it: `await rig.test_mail()` sends a `-t` mail and keeps its exit code (I12).
- Dice: `rig.random`, seeded by the campaign's seed and the case's name.
"""

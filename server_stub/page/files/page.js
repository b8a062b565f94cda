// The page: asks for the state, hands its parts to the panes, and lets the panes find each other.

import { announce } from "./element.js";
import { Live } from "./live.js";
import { MailPane } from "./mail.js";
import { MisbehaviourPane } from "./misbehaviour.js";
import { QueuePane } from "./queue.js";
import { tick, setServerTime } from "./ages.js";

const live = new Live("/state", show);
const refresh = () => live.look();
const queue = new QueuePane({ refresh, showMail: (key) => mail.go(key) });
const mail = new MailPane({ refresh, showEntry: (key) => queue.go(key) });
const misbehaviour = new MisbehaviourPane({ refresh });

function show(state) {
  setServerTime(state.now);
  queue.show(state.queue, state.mail.rows);
  const arrived = mail.show(state.mail);
  misbehaviour.show(state.misbehaviour);
  tick();
  sayWhatArrived(arrived);
}

function sayWhatArrived(arrived) {
  if (arrived.length === 1) {
    announce(`A mail arrived: ${arrived[0].subject || "no subject"}`);
  } else if (arrived.length) {
    announce(`${arrived.length} mails arrived`);
  }
}

live.look();

// What a part has seen: a log, counters, and waiting for them without sleeping.
import { createHash } from 'node:crypto';

export const sha256 = (text) => createHash('sha256').update(text).digest('hex');

export class Events {
  #log = [];
  #waiting = new Set();
  #started = Date.now();

  get log() { return this.#log; }

  add(entry) {
    const full = { n: this.#log.length + 1, t: Date.now() - this.#started, ...entry };
    this.#log.push(full);
    this.touch();
    return full;
  }

  /** To be called whenever something that a waiter may look at has changed. */
  touch() {
    for (const check of [...this.#waiting]) check();
  }

  clear() {
    this.#log.length = 0;
  }

  /** Resolves with [200, …] as soon as `count()` reaches `wanted`, with [408, …] after the deadline. */
  until(count, wanted, deadline) {
    return new Promise((resolve) => {
      const finish = (status) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve([status, { count: count(), wanted }]);
      };
      const check = () => { if (count() >= wanted) finish(200); };
      const timer = setTimeout(() => finish(408), deadline);
      this.#waiting.add(check);
      check();
    });
  }
}

"use strict";
// News from the server that the page came from, for as long as it runs.

const UPDATE_PAUSE = 300;
const RETRY_PAUSE = 2000;

class Live {
  // realm: the id of the one that is shown; realms: all that there are.
  constructor({ realm, realms }) {
    this.realm = realm;
    this.state = document.getElementById("state");
    this.choice = document.getElementById("realm");
    document.getElementById("realms").hidden = false;
    this.choice.addEventListener("change", () => {
      location.assign(`${location.pathname}?realm=${encodeURIComponent(this.choice.value)}`);
    });
    this._showRealms(realms);
    // The token is used up; the address without it can be loaded again.
    history.replaceState(null, "", `${location.pathname}?realm=${encodeURIComponent(realm)}`);
  }

  async follow(model, refresh) {
    let { next, version } = model.realm;
    this._say("Live", false);
    for (;;) {
      try {
        const news = await this._ask("data", { after: next, version });
        const began = performance.now();
        this._showRealms(news.realms);
        if (news.ended) {
          this._say("Ended", true);
          return;
        }
        if (news.recording) {
          ({ next, version } = news.recording);
          model.take(news.recording);
          refresh();
        }
        this._say("Live", false);
        await pause(Math.max(UPDATE_PAUSE, 4 * (performance.now() - began)));
      } catch (error) {
        if (error instanceof Refused) {
          this._say(error.message, true);
          return;
        }
        this._say("The environment does not answer", true);
        await pause(RETRY_PAUSE);
      }
    }
  }

  // The ends of the logs of a task's containers, by their names.
  async logs(task, names) {
    const found = await Promise.all(names.map((container) => this._ask("log", { task: task.id, container })));
    return Object.fromEntries(names.map((name, index) => [name, found[index]]));
  }

  async _ask(what, query) {
    const given = new URLSearchParams({ realm: this.realm, ...query });
    const answer = await fetch(`${location.pathname}/${what}?${given}`, { cache: "no-store" });
    if (answer.status === 401) throw new Refused(await answer.text());
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  _showRealms(realms) {
    const shown = JSON.stringify(realms);
    if (shown === this.shownRealms) return;
    this.shownRealms = shown;
    this.choice.replaceChildren(...realms.map((realm) => element("option", { value: realm.id, selected: realm.id === this.realm }, `${realm.name} (${realm.tasks})`)));
  }

  _say(text, isBroken) {
    this.state.hidden = false;
    if (this.state.textContent !== text) this.state.textContent = text;
    this.state.classList.toggle("broken", isBroken);
  }
}

class Refused extends Error {}

function pause(milliseconds) {
  return new Promise((resume) => { setTimeout(resume, milliseconds); });
}

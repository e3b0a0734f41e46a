"use strict";
// Elements, and a list of which only the rows in view are in the document.

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onclick") made.addEventListener("click", value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  // Texts stay texts, whatever is in them.
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

class VirtualList {
  // draw(row, index): the row's element; chosen(row): it was chosen; level(row), open(row, isOpen).
  constructor(place, { draw, chosen, role, key, toggle }) {
    this.place = place;
    this.draw = draw;
    this.onChosen = chosen;
    this.role = role;
    this.key = key;
    this.toggle = toggle || (() => {});
    this.rows = [];
    this.tops = [0];
    this.drawn = [0, 0];
    this.index = -1;
    this.sizer = element("div", { class: "sizer", role: "presentation" });
    place.append(this.sizer);
    place.addEventListener("scroll", () => this._scrolled());
    place.addEventListener("keydown", (event) => this._onKey(event));
    this.sizer.addEventListener("click", (event) => {
      const found = event.target.closest("[data-index]");
      if (!found) return;
      place.focus({ preventScroll: true });
      const index = Number(found.dataset.index);
      if (event.target.closest(".twist")) this.toggle(this.rows[index]);
      else this.choose(index, event);
    });
    new ResizeObserver(() => this.render()).observe(place);
  }

  // Show these rows; the chosen one stays it, if it is among them.
  show(rows) {
    const key = this.index >= 0 ? this.key(this.rows[this.index]) : null;
    this.rows = rows;
    this.tops = [0];
    for (const row of rows) this.tops.push(this.tops[this.tops.length - 1] + row.height);
    this.index = key === null ? -1 : rows.findIndex((row) => this.key(row) === key);
    this.sizer.style.height = `${this.tops[rows.length]}px`;
    this.render();
  }

  // Rows around those in view are there already, for some way.
  _scrolled() {
    const [first, last] = this._inView(2);
    if (first < this.drawn[0] || last > this.drawn[1]) this.render();
  }

  _inView(more) {
    const top = this.place.scrollTop;
    const first = Math.max(0, this._at(top) - more);
    return [first, Math.min(this.rows.length, this._at(top + this.place.clientHeight) + 1 + more)];
  }

  render() {
    const [first, last] = this._inView(10);
    this.drawn = [first, last];
    const drawn = [];
    for (let index = first; index < last; index += 1) drawn.push(this._row(index));
    if (this.index >= 0 && (this.index < first || this.index >= last)) drawn.push(this._row(this.index));
    this.sizer.replaceChildren(...drawn);
    if (!this.rows.length) this.sizer.append(element("p", { class: "nothing" }, "Nothing here."));
    this.sizer.style.minHeight = this.rows.length ? "" : "70px";
    if (this.index >= 0) this.place.setAttribute("aria-activedescendant", `${this.place.id}-${this.index}`);
    else this.place.removeAttribute("aria-activedescendant");
  }

  _row(index) {
    const row = this.rows[index];
    const made = this.draw(row, index);
    made.id = `${this.place.id}-${index}`;
    made.dataset.index = index;
    made.setAttribute("role", this.role);
    made.setAttribute("aria-selected", String(index === this.index));
    made.setAttribute("aria-setsize", String(row.setsize || this.rows.length));
    made.setAttribute("aria-posinset", String(row.position || index + 1));
    made.classList.toggle("chosen", index === this.index);
    made.style.top = `${this.tops[index]}px`;
    made.style.height = `${row.height}px`;
    return made;
  }

  // The last row that begins at this height or above.
  _at(height) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle + 1] <= height) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  choose(index, event) {
    if (!this.rows.length) return;
    this.index = Math.max(0, Math.min(index, this.rows.length - 1));
    const top = this.tops[this.index];
    const bottom = this.tops[this.index + 1];
    if (top < this.place.scrollTop) this.place.scrollTop = top;
    else if (bottom > this.place.scrollTop + this.place.clientHeight) {
      this.place.scrollTop = bottom - this.place.clientHeight;
    }
    this.render();
    this.onChosen(this.rows[this.index], event);
  }

  chooseKey(key) {
    const index = this.rows.findIndex((row) => this.key(row) === key);
    if (index >= 0) this.choose(index);
    return index >= 0;
  }

  _onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const page = Math.max(1, Math.floor(this.place.clientHeight / 28) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    if (event.key in moves) this.choose(this.index < 0 ? 0 : this.index + moves[event.key]);
    else if (event.key === "Home") this.choose(0);
    else if (event.key === "End") this.choose(this.rows.length - 1);
    else if (event.key === "Enter" && this.index >= 0) this.onChosen(this.rows[this.index], event, true);
    else if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && this.index >= 0) {
      this.toggle(this.rows[this.index], event.key === "ArrowRight");
    } else return;
    event.preventDefault();
  }
}

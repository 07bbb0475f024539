// The page of `frameloom serve`: which view is shown, and how the page stands to the server.

import "./style.css";
import { token } from "./api";
import { detail } from "./detail";
import { h, say } from "./dom";
import { fleet, type Link } from "./fleet";
import { form } from "./form";
import { overview } from "./overview";
import { nameOf } from "./published";
import { oneStream, streams } from "./streams";

const view = document.getElementById("view")!;
const banner = document.getElementById("banner")!;
const link = document.getElementById("link")!;

const LINKS: Record<Link, string> = {
  connecting: "Connecting …",
  connected: "Connected",
  gone: "Server gone",
  unauthorized: "Token needed",
};

let shown = new AbortController();

/** Shows what the address says; everything of the last view ends. */
function route(): void {
  shown.abort();
  shown = new AbortController();
  const path = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  const [page = "", name = "", action = ""] = path;
  let title = "Pipelines";
  let content: HTMLElement;
  if (page === "pipelines" && name && action === "edit") {
    title = `Change ${name}`;
    content = form(name);
  } else if (page === "pipelines" && name) {
    title = name;
    content = detail(name, shown.signal);
  } else if (page === "add") {
    title = "Add a pipeline";
    content = form(null);
  } else if (page === "streams" && action) {
    title = nameOf({ app: name, name: action });
    content = oneStream(name, action, shown.signal);
  } else if (page === "streams") {
    title = "Streams";
    content = streams(shown.signal);
  } else {
    content = overview(shown.signal);
  }
  document.title = `${title} · Frameloom`;
  for (const entry of document.querySelectorAll<HTMLAnchorElement>("nav a")) {
    const here = entry.dataset.page === (page === "" || page === "pipelines" ? "overview" : page);
    if (here) entry.setAttribute("aria-current", "page");
    else entry.removeAttribute("aria-current");
  }
  view.replaceChildren(content);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function showLink(state: Link): void {
  say(link, LINKS[state]);
  link.dataset.state = state;
  document.body.dataset.link = state;
  if (state === "gone") {
    banner.replaceChildren(
      h("span", {}, "The server is gone. This page comes back by itself as soon as it answers again."),
      h("button", { type: "button", class: "small", click: () => fleet.retry() }, "Try now"),
    );
  } else if (state === "unauthorized") {
    banner.replaceChildren(askForToken());
  }
  banner.hidden = state === "connected" || state === "connecting";
}

function askForToken(): HTMLElement {
  const wrong = token.get() != null;
  const field = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  const ask = h(
    "form",
    { class: "token" },
    h("label", { for: "token" }, wrong ? "The server takes no such token. Its api_token is:" : "The server asks for its api_token:"),
    field,
    h("button", {}, "Enter"),
  );
  ask.addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(field.value.trim());
    fleet.retry();
  });
  return ask;
}

addEventListener("hashchange", () => {
  route();
  // Somebody who uses the keyboard goes on from the new view.
  view.focus({ preventScroll: true });
  scrollTo(0, 0);
});
fleet.linked.on(showLink, new AbortController().signal);
showLink(fleet.link);
// The form of an address that was opened is made of what the server tells first.
fleet.linked.on((state) => {
  if (state === "connected" && location.hash.endsWith("/edit") && !view.querySelector("form")) route();
}, new AbortController().signal);
route();
void fleet.follow();

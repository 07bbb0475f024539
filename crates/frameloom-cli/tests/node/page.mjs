// Goes through the page in headless Chromium as a user does. What is wrong ends it with an error.
// Arguments: the folder with node_modules, the Chromium program, a folder for screenshots, the
// server's URL, the name of what to do. Lines that it prints are for the test to act on.
import assert from "node:assert/strict";
import path from "node:path";
import { launch } from "../../../frameloom-server/tests/node/chromium.mjs";

const [packages, executablePath, pictures, base, task] = process.argv.slice(2);

const browser = await launch(packages, executablePath);

const errors = [];

/** A page at `hash`. */
async function open(hash, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  page.setDefaultTimeout(60_000);
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(`${base}/${hash}`);
  return page;
}

/** Browsers say of a refused request that it was one, whatever the page makes of it. */
function forget(text) {
  errors.splice(0, errors.length, ...errors.filter((error) => !error.includes(text)));
}

const picture = (page, name) => page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });

const link = (page, text) => page.locator("#link", { hasText: text }).waitFor();

const badge = (page, text) => page.locator(".heading .badge", { hasText: new RegExp(`^${text}$`) }).waitFor();

/** The pixel at (x, y) of what an end shows now, and all pixels of it in small. */
const look = (page, end, x = 20, y = 20) =>
  page.evaluate(
    ([end, x, y]) => {
      const video = document.querySelector(`[data-end=${end}] video`);
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      const context = canvas.getContext("2d");
      context.drawImage(video, 0, 0);
      const pixel = [...context.getImageData(x, y, 1, 1).data];
      const all = context.getImageData(0, 0, canvas.width, canvas.height).data;
      return { pixel, some: [...all.filter((_, index) => index % 97 === 0)] };
    },
    [end, x, y],
  );

/** Waits until a field is marked as wrong and has the focus, with this sentence below it, and a line of it selected. */
async function wrong(page, label, said, selected = "") {
  const field = page.getByLabel(label, { exact: true });
  const id = await field.getAttribute("id");
  await page.locator(`#${id.replace("field-", "problem-")}`, { hasText: said }).waitFor();
  const found = await field.evaluate((element) => {
    const { selectionStart, selectionEnd, value } = element;
    const isArea = element instanceof HTMLTextAreaElement;
    return {
      isMarked: element.getAttribute("aria-invalid") === "true",
      hasFocus: document.activeElement === element,
      marked: document.querySelectorAll("[aria-invalid=true]").length,
      selected: isArea ? value.slice(selectionStart, selectionEnd) : "",
    };
  });
  assert.deepEqual(found, { isMarked: true, hasFocus: true, marked: 1, selected }, `${label}: ${said}`);
}

const plays = (page, end) =>
  page.waitForFunction((end) => document.querySelector(`[data-end=${end}] video`)?.currentTime > 1, end);

const isMagenta = ([red, green, blue]) => red > 200 && green < 60 && blue > 200;

/** Waits until an end shows another picture than `before`. */
async function moves(page, end, before) {
  for (;;) {
    const { some } = await look(page, end);
    const differing = some.filter((byte, index) => Math.abs(byte - before.some[index]) > 30).length;
    if (differing > some.length / 200) return;
    await page.waitForTimeout(50);
  }
}

/** Waits until both ends show the same moment. */
const inStep = (page) =>
  page.waitForFunction(() => {
    const { apart } = document.querySelector(".sync").dataset;
    return apart !== "" && apart != null && Math.abs(Number(apart)) < 100;
  });

/** How many of a plot's pixels are drawn on. */
const ink = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll(".plot canvas")].map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 3; at < data.length; at += 4) count += data[at] > 0;
      return count;
    }),
  );

const tasks = {
  async overview() {
    const page = await open("");
    await link(page, "Connected");
    const cards = page.locator(".pipeline");
    await cards.first().waitFor();
    assert.deepEqual(await cards.evaluateAll((all) => all.map((card) => card.dataset.name)), ["camera", "edited", "off"]);
    // Thumbnails come, and come anew.
    const thumbnail = page.locator("[data-name=edited] img:visible");
    await thumbnail.waitFor();
    const source = await thumbnail.getAttribute("src");
    await page.waitForFunction((old) => document.querySelector("[data-name=edited] img")?.src !== old, source);
    await page.locator("[data-name=edited] dd", { hasText: /^2\d\.\d$/ }).first().waitFor();
    await page.locator("[data-name=off] .badge", { hasText: "Stopped" }).waitFor();
    await picture(page, "overview");
    // By keyboard alone: to the one that is stopped, and there to its button.
    await page.locator("[data-name=off] h2 a").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator("[data-name=off] .badge", { hasText: /Starting|Running/ }).waitFor();
    await page.getByRole("link", { name: "Streams" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("rowheader", { name: "live/edited" }).waitFor();
    await picture(page, "streams");
  },

  async detail() {
    const page = await open("#/pipelines/edited");
    await badge(page, "Running");
    await Promise.all([plays(page, "input"), plays(page, "output")]);
    const [input, output] = [await look(page, "input"), await look(page, "output")];
    assert.ok(isMagenta(output.pixel), `the edit is not in the output: ${output.pixel}`);
    assert.ok(!isMagenta(input.pixel), `the edit is in the input: ${input.pixel}`);
    await Promise.all([moves(page, "input", input), moves(page, "output", output)]);
    await inStep(page);
    // Six plots, each with more on it than its axes, and another picture a while later.
    await page.waitForFunction(() => document.querySelectorAll(".plot canvas").length === 6);
    const drawn = await ink(page);
    assert.ok(drawn.every((count) => count > 500), `a plot is empty: ${drawn}`);
    while (String(await ink(page)) === String(drawn)) await page.waitForTimeout(50);
    await page.locator(".log li[data-state=running]").first().waitFor();
    await picture(page, "detail");

    await page.getByRole("button", { name: "Stop edited", exact: true }).click();
    await badge(page, "Stopped");
    await page.locator("[data-end=output] .note:visible", { hasText: /Waiting/ }).waitFor();
    await page.locator(".log li[data-state=stopped]").first().waitFor();
    await picture(page, "stopped");
    await page.getByRole("button", { name: "Start edited", exact: true }).click();
    await badge(page, "Running");
    await page.waitForFunction(() => {
      const video = document.querySelector("[data-end=output] video");
      return video.readyState >= 2 && video.currentTime > 0.5;
    });
    const process = await page.locator(".heading .hint").textContent();
    await page.getByRole("button", { name: "Restart edited", exact: true }).click();
    await page.waitForFunction((old) => {
      const of = (text) => /process (\d+)/.exec(text)?.[1];
      const now = of(document.querySelector(".heading .hint").textContent);
      return now && now !== of(old);
    }, process);
  },

  /** What is on demand runs when its viewer says so, and then in step with its input. */
  async demand() {
    const page = await open("#/pipelines/small");
    await badge(page, "Waiting for a player");
    await plays(page, "input");
    await page.getByRole("button", { name: "Play, and start it" }).click();
    await plays(page, "output");
    await badge(page, "Running");
    await inStep(page);
  },

  /** Dark, and on a phone: nothing is wider than the screen. */
  async narrow() {
    const page = await open("#/pipelines/edited", { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
    await Promise.all([plays(page, "input"), plays(page, "output")]);
    for (const hash of ["#/pipelines/edited", "#/", "#/add", "#/streams", "#/pipelines/edited/edit"]) {
      await page.evaluate((hash) => (location.hash = hash), hash);
      await page.locator("h1").waitFor();
      const [width, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(width <= seen, `${hash} is ${width} pixels wide`);
      const [back, text] = await page.evaluate(() => {
        const style = getComputedStyle(document.documentElement);
        return [style.backgroundColor, style.color].map((color) => Number(/\d+/.exec(color)[0]));
      });
      assert.ok(back < 60 && text > 180, `${hash} is not dark: ${back} below ${text}`);
      await picture(page, `phone-${hash.replace(/\W+/g, "-")}`);
    }
  },

  async form() {
    const page = await open("#/add");
    await link(page, "Connected");
    const rtmp = await page.evaluate(async () => (await (await fetch("/api/v1/pipelines/camera")).json()).play.input ?? null);
    assert.equal(rtmp, null);
    const output = await page.evaluate(async () => (await (await fetch("/api/v1/pipelines/camera")).json()).play.output.rtmp);
    await page.getByLabel("Name").fill("mirrored");
    await page.getByLabel("Input", { exact: true }).fill(output);
    await page.getByLabel("Outputs", { exact: true }).fill(`${output.replace("camera", "mirrored")}?token=sesame-open`);
    await page.getByText("More settings").click();
    await page.getByLabel("Filter").fill("hflip");
    await page.getByLabel("Deadline").fill("soon");
    await page.getByLabel("Output options").fill("preset = ultrafast\ng = 25");
    await page.getByRole("button", { name: "Add" }).click();
    // What is wrong is said below its field, in words for people, and all that was written is still there.
    await wrong(page, "Deadline", "Deadline can't be “soon”. It takes a time such as 1.5 or 200ms.");
    await picture(page, "form-wrong");
    await page.emulateMedia({ colorScheme: "dark" });
    await picture(page, "form-wrong-dark");
    await page.emulateMedia({ colorScheme: "light" });
    await page.getByLabel("Deadline").fill("");
    assert.equal(await page.getByRole("alert").filter({ hasText: /./ }).count(), 0, "a field that is changed is marked no longer");
    const add = async () => page.getByRole("button", { name: "Add" }).click();
    const good = await page.getByLabel("Outputs", { exact: true }).inputValue();
    for (const [label, text, said, selected] of [
      ["Output options", "preset = ultrafast\ng = 1e30", /^g can't be “1e30”\. It takes a whole number from -2147483648 to 2147483647\.$/, "g = 1e30"],
      ["Output options", "presett = ultrafast", "There is no option named “presett”. Did you mean preset", "presett = ultrafast"],
      ["Output options", "an = 1", "an takes no value. Write it alone on its line.", "an = 1"],
      ["Outputs", `${good}\n/no/such/folder/a.mp4`, "Its folder does not exist. Create the folder /no/such/folder first.", "/no/such/folder/a.mp4"],
      ["Outputs", `${good}\nrtmp://h:0/live/a`, "Its port is not a number from 1 to 65535.", "rtmp://h:0/live/a"],
      ["Outputs", output, "Another pipeline writes to this address already: camera. Choose another address.", ""],
      ["Outputs", "{nothing", "An output that begins with { has options of its own.", "{nothing"],
      ["Outputs", good.replace("sesame-open", "***"), "A secret that is shown as *** can't be read from here again.", good.replace("sesame-open", "***")],
      ["Input", good, "The output would come back as the input, in a circle: mirrored → mirrored.", ""],
      ["Input", "", "The input is empty.", ""],
      ["Command", "no-such-program x", "The server's machine has no program named “no-such-program”.", ""],
      ["Command", "python3 'x", "A quote ' is not closed.", ""],
      ["Filter", "hflp", "There is no filter 'hflp'. Did you mean hflip", ""],
      ["Name", "camera", "There is a pipeline named camera already.", ""],
      ["Name", "a/b", "A name has up to 64 letters", ""],
    ]) {
      const field = page.getByLabel(label, { exact: true });
      const before = await field.inputValue();
      await field.fill(text);
      await add();
      await wrong(page, label, said, selected);
      await field.fill(before);
    }
    // A server that is not reached, and one that gives no right.
    for (const [answer, said] of [
      [(route) => route.abort(), "The server does not answer."],
      [(route) => route.fulfill({ status: 403, json: { status: 403, detail: "no" } }), "You have no right to change anything from here."],
    ]) {
      await page.route("**/api/v1/pipelines", answer);
      await add();
      await page.locator(".form > .problem", { hasText: said }).waitFor();
      await page.unroute("**/api/v1/pipelines");
    }
    forget("422");
    forget("409");
    forget("403");
    forget("net::ERR_");
    await page.getByRole("button", { name: "Add" }).click();
    await page.waitForURL(/#\/pipelines\/mirrored$/);
    await badge(page, "Running");
    await plays(page, "output");
    await picture(page, "added");
    // A secret in its URL is hidden where settings are shown; to change something else keeps it.
    await page.getByRole("link", { name: "Edit mirrored" }).click();
    assert.match(await page.getByLabel("Outputs", { exact: true }).inputValue(), /\*\*\*/);
    assert.equal(await page.getByLabel("Filter").inputValue(), "hflip");
    await page.getByLabel("Filter").fill("vflip");
    // Somebody else changes it meanwhile: that is not undone unseen.
    const status = await page.evaluate(async () => {
      const at = "/api/v1/pipelines/mirrored";
      const { settings } = await (await fetch(at)).json();
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ ...settings, on_loss: "hold" });
      return (await fetch(at, { method: "PUT", headers, body })).status;
    });
    assert.equal(status, 200);
    await page.getByRole("button", { name: "Change" }).click();
    await page.locator(".form > .problem", { hasText: "Somebody else has changed this pipeline" }).waitFor();
    await picture(page, "form-changed");
    forget("412");
    await page.getByRole("button", { name: "Change" }).click();
    await page.waitForURL(/#\/pipelines\/mirrored$/);
    await page.locator(".settings dd", { hasText: "vflip" }).waitFor();
    await badge(page, "Running");
    await page.getByRole("button", { name: "Remove mirrored …" }).click();
    await page.getByRole("button", { name: "Remove mirrored", exact: true }).click();
    await page.locator("[data-name=camera]").waitFor();
    await page.locator("[data-name=mirrored]").waitFor({ state: "detached" });
  },

  /** A pipeline whose code fails, one whose input is lost, and a stream that no pipeline knows. */
  async models() {
    const page = await open("");
    await link(page, "Connected");
    const row = (name) => page.locator(`[data-model=${name}]`);
    const cells = (name) => row(name).locator("td").allTextContents();
    await row("faces").locator(".badge", { hasText: /^Running$/ }).waitFor();
    assert.deepEqual(await page.locator("[data-model]").evaluateAll((all) => all.map((one) => one.dataset.model)), ["broken", "faces"]);
    // One client asks it for ten frames a second.
    await page.waitForFunction(() => {
      const [, clients, queue, rate, batch] = [...document.querySelectorAll("[data-model=faces] td")].map((cell) => cell.textContent);
      return clients === "1" && queue === "1" && Number(rate) > 5 && batch === "13 ms";
    });
    await row("broken").locator(".problem", { hasText: "It ended with exit status 1: model.py: the file is broken." }).waitFor();
    await picture(page, "models");
    // The badge says what became of it, and the focus stays on the button.
    const restart = page.getByRole("button", { name: "Restart faces" });
    await restart.focus();
    await page.keyboard.press("Enter");
    await row("faces").locator(".badge", { hasText: /Starting|Stopped/ }).waitFor();
    await row("faces").locator(".badge", { hasText: /^Running$/ }).waitFor();
    assert.equal((await cells("faces")).at(-2), "0", "it did not fail");
    console.log("remove the models");
    await page.locator("[data-model=broken]").waitFor({ state: "detached" });
    await page.locator("[data-model=faces]").waitFor({ state: "detached" });
    await page.locator(".models").waitFor({ state: "hidden" });
  },

  async problems() {
    const page = await open("#/pipelines/failing");
    await badge(page, "Code failing");
    const alert = page.locator(".alert[data-kind=code_failing]");
    await alert.getByText("for ").first().waitFor();
    await alert.locator(".last", { hasText: "no such model" }).waitFor();
    const top = async (selector) => (await page.locator(selector).first().boundingBox()).y;
    const order = [await top(".alert"), await top(".screens"), await top(".log"), await top(".figures"), await top(".plots")];
    assert.deepEqual(order, order.toSorted((a, b) => a - b), "what is wrong stands first, and the log before the figures");
    await page.locator("dd.odd").first().waitFor();
    const lines = () => page.locator(".log li:visible").allTextContents();
    await page.getByLabel("Search the log").fill("NO SUCH model");
    await page.waitForFunction(() => [...document.querySelectorAll(".log li")].some((line) => line.hidden));
    const found = await lines();
    assert.ok(found.length > 0 && found.every((line) => line.includes("no such model")), String(found));
    await page.getByLabel("Search the log").fill("");
    await page.getByLabel("Which lines").selectOption("problems");
    assert.ok((await lines()).some((line) => line.includes("the code fails")), String(await lines()));
    await picture(page, "code-failing");

    await page.getByRole("link", { name: "Pipelines" }).click();
    await page.locator("[data-name=lost].lost .problem", { hasText: /^Input lost for \d+/ }).waitFor();
    const names = await page.locator("[data-name]").evaluateAll((all) => all.map((card) => card.dataset.name));
    assert.deepEqual(names, ["failing", "lost", "fine"]);
    // Each button is named with what it is for.
    const buttons = await page.locator(".orders button").evaluateAll((all) => all.map((button) => button.ariaLabel));
    assert.equal(new Set(buttons).size, buttons.length, String(buttons));
    assert.ok(buttons.includes("Stop lost"), String(buttons));
    const alone = page.getByRole("link", { name: "live/alone" });
    await alone.waitFor();
    await picture(page, "problems");

    // A lost input looks lost.
    await page.locator("[data-name=lost] h2 a").click();
    await page.locator(".stale", { hasText: /The input is lost since \d\d:\d\d/ }).waitFor();
    await page.locator(".lost .screens").waitFor();
    await picture(page, "input-lost");

    await page.getByRole("link", { name: "Pipelines" }).click();
    await alone.click();
    await plays(page, "stream");
    await page.locator("code", { hasText: /^rtmp:\/\/127\.0\.0\.1:\d+\/live\/alone$/ }).waitFor();
    await page.locator("code", { hasText: /^http:\/\/127\.0\.0\.1:\d+\/live\/alone\.flv$/ }).waitFor();
    await picture(page, "stream");

    // What is missing is told in a sentence of the page's own.
    await page.goto(`${base}/#/add`);
    await page.getByRole("button", { name: "Add" }).click();
    await wrong(page, "Name", "The name is empty: it is needed.");
    await page.getByLabel("Name").fill("door");
    await page.getByLabel("Input", { exact: true }).fill("rtmp://127.0.0.1:1/live/door");
    await page.getByRole("button", { name: "Add" }).click();
    await wrong(page, "Outputs", "It has neither outputs nor a command");
  },

  async restart() {
    const page = await open("#/pipelines/edited");
    await Promise.all([plays(page, "input"), plays(page, "output")]);
    console.log("end the server");
    await page.getByRole("alert").filter({ hasText: "The server is gone" }).waitFor();
    await picture(page, "gone");
    console.log("start the server");
    await link(page, "Connected");
    forget("net::ERR_");
    await page.locator(".banner").waitFor({ state: "hidden" });
    await badge(page, "Running");
    await Promise.all([plays(page, "input"), plays(page, "output")]);
    const output = await look(page, "output");
    await moves(page, "output", output);
  },

  async token() {
    const page = await open("#/pipelines/edited");
    await link(page, "Token needed");
    await picture(page, "token");
    const enter = async (token) => {
      await page.getByLabel(/api_token/).fill(token);
      await page.getByRole("button", { name: "Enter" }).click();
    };
    await enter("not-this-one-at-all");
    await page.getByText("takes no such token").waitFor();
    forget("401");
    await enter("a-token-of-some-length");
    await link(page, "Connected");
    // The streams too, though players are asked for a key that the page doesn't know.
    await Promise.all([plays(page, "input"), plays(page, "output")]);
    await page.getByRole("link", { name: "Pipelines" }).click();
    await page.locator("[data-name=edited] img:visible").waitFor();
  },
};

try {
  await tasks[task]();
  assert.deepEqual(errors, [], "the console has errors");
} catch (error) {
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    console.error(await page.locator("body").innerText().catch(() => "the page is closed"));
    await picture(page, `failed-${task}`).catch(() => {});
  }
  throw error;
} finally {
  await browser.close();
}

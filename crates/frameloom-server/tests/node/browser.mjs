// Plays a live FLV URL with mpegts.js in headless Chromium, and prints what was seen as JSON.
// Arguments: the folder with node_modules, the Chromium program, the URL.
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { launch } from "./chromium.mjs";

const [packages, executablePath, url] = process.argv.slice(2);
const player = await readFile(path.join(packages, "node_modules/mpegts.js/dist/mpegts.js"));

const pageHtml = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<video muted></video><script src="/mpegts.js"></script>`;

const pages = http.createServer((request, response) => {
  const script = request.url === "/mpegts.js";
  response.setHeader("Content-Type", script ? "text/javascript" : "text/html");
  response.end(script ? player : pageHtml);
});
await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));

const browser = await launch(packages, executablePath);
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);

  await page.evaluate((url) => {
    const video = document.querySelector("video");
    const player = mpegts.createPlayer({ type: "flv", isLive: true, url });
    player.on(mpegts.Events.ERROR, (...what) => console.error(...what));
    player.attachMediaElement(video);
    player.load();
    video.play().catch((error) => console.error(String(error)));
    // Kept where the functions below find it.
    window.snapshot = () => {
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      const context = canvas.getContext("2d");
      context.drawImage(video, 0, 0);
      return context.getImageData(0, 0, canvas.width, canvas.height).data;
    };
    window.differing = (one, other) => one.filter((byte, index) => byte !== other[index]).length;
  }, url);

  const playsPast = (time) =>
    page.waitForFunction((time) => document.querySelector("video").currentTime > time, time);
  await playsPast(0);
  const first = await page.evaluate(() => {
    window.first = snapshot();
    return document.querySelector("video").currentTime;
  });
  await playsPast(first + 1);
  const seen = await page.evaluate(() => {
    const video = document.querySelector("video");
    const bytesThatDiffer = differing(window.first, snapshot());
    const { videoWidth, videoHeight, currentTime } = video;
    return { currentTime, videoWidth, videoHeight, bytesThatDiffer };
  });
  console.log(JSON.stringify({ first, ...seen, errors }));
} finally {
  await browser.close();
  pages.close();
}

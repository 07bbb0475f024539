// Plays files in headless Chromium, and prints what came of each as a line of JSON: its name, the
// picture's width, how long it is, where it ended, and the error if there was one.
// Arguments: the folder with node_modules, the Chromium program, the files.
import path from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "../../../frameloom-server/tests/node/chromium.mjs";

const [packages, executablePath, ...files] = process.argv.slice(2);

const browser = await launch(packages, executablePath);
const page = await browser.newPage();

for (const file of files) {
  // The file itself as a page: what another origin shows could not be looked at.
  await page.goto(pathToFileURL(file).href).catch(() => {});
  const result = await page.evaluate(async () => {
    const video = document.querySelector("video, audio");
    if (!video) return { error: "it is no page with a video" };
    const over = new Promise((resolve) => {
      for (const event of ["ended", "error"]) video.addEventListener(event, resolve, { once: true });
      if (video.ended || video.error) resolve();
      // Of what it can't decode at all it may say nothing.
      setTimeout(resolve, 20_000);
    });
    [video.muted, video.playbackRate] = [true, 4];
    video.play().catch(() => {});
    await over;
    const { videoWidth: width, duration, currentTime: end, ended, error } = video;
    const seen = video.getVideoPlaybackQuality?.().totalVideoFrames;
    const why = error ? `${error.code}: ${error.message}` : ended ? null : "it never ends";
    return { width, duration, end, seen, error: why };
  });
  console.log(JSON.stringify({ file: path.basename(file), ...result }));
}
await browser.close();

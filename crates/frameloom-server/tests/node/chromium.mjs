// Headless Chromium, for the tests that need a browser.
import { createRequire } from "node:module";
import path from "node:path";

/** Starts the program `executablePath`, with playwright-core out of the folder `packages`. */
export function launch(packages, executablePath) {
  const require = createRequire(path.join(packages, "package.json"));
  return require("playwright-core").chromium.launch({
    executablePath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
}

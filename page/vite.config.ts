import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2023",
    // The Content-Security-Policy lets no data: through but for the icon.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
    // The notices of what is bundled; /licenses.md serves them.
    license: { fileName: "licenses.md" },
  },
  // `npm run dev` beside a server on its usual port.
  server: { proxy: { "/api": "http://127.0.0.1:8080", "/live": "http://127.0.0.1:8080" } },
});

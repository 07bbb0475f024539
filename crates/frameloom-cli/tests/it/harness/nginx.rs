//! nginx with its RTMP module, on a loopback port of the test's own.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::run::{Run, Running, wait_until};

const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// A running server; killed when it is dropped.
pub(crate) struct Nginx {
    server: Running,
    folder: tempfile::TempDir,
    port: u16,
}

impl Nginx {
    pub(crate) fn start() -> Nginx {
        assert!(Path::new(MODULE).is_file(), "no {MODULE}: run script/setup --tests");
        // Someone else may take the port between our asking and nginx's binding.
        (0..10).find_map(|_| Nginx::try_start(free_port())).expect("nginx found no free port")
    }

    fn try_start(port: u16) -> Option<Nginx> {
        let folder = super::room();
        let server = Nginx::run(&folder, port)?;
        Some(Nginx { server, folder, port })
    }

    /// The server on this port, or nothing where someone else has it.
    fn run(folder: &tempfile::TempDir, port: u16) -> Option<Running> {
        let at = folder.path().display();
        // A player may come before the publisher and waits for it; when the publisher leaves,
        // `publish_notify` tells the player.
        let settings = format!(
            "load_module {MODULE};
             daemon off; master_process off; pid {at}/pid; error_log {at}/log info;
             events {{ worker_connections 256; }}
             rtmp {{ server {{
                 listen 127.0.0.1:{port}; chunk_size 4096; out_queue 4096;
                 application live {{ live on; publish_notify on; drop_idle_publisher 20s; }}
             }} }}"
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, settings).unwrap();
        let log = folder.path().join("log");
        let mut server =
            Run::new("/usr/sbin/nginx", args!["-p", folder.path(), "-c", path, "-e", log])
                .limit_s(600)
                .spawn();
        let pid = folder.path().join("pid");
        // nginx writes its pid once it has bound the port.
        let mut running = true;
        wait_until("nginx starts", || {
            running = server.is_running();
            !running || pid.is_file()
        });
        running.then_some(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, and everyone's connection to it; what it logged so far stays.
    pub(crate) fn kill(&self) {
        self.server.signal_group("KILL");
        let stat = format!("/proc/{}/stat", self.server.id());
        wait_until("nginx is gone", || {
            fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
        });
        fs::remove_file(self.folder.path().join("pid")).ok();
    }

    /// Starts it again behind a `kill`, on the same port.
    pub(crate) fn start_again(&mut self) {
        let mut server = None;
        wait_until("nginx has its port again", || {
            server = Nginx::run(&self.folder, self.port);
            server.is_some()
        });
        self.server = server.unwrap();
    }

    /// Halts it; its connections stay open, and the kernel goes on taking what is sent to it.
    pub(crate) fn freeze(&self) {
        self.server.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.server.signal("CONT");
    }

    /// How often someone began to publish `stream` so far.
    pub(crate) fn times_published(&self, stream: &str) -> usize {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.matches(&format!(" publish: name='{stream}'")).count()
    }

    pub(crate) fn url(&self, stream: &str) -> String {
        Nginx::url_by(self.port, stream)
    }

    /// The stream's URL by another port that leads here.
    pub(crate) fn url_by(port: u16, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{port}/live/{stream}")
    }

    /// Waits until someone plays `stream`, whether it is there yet or not.
    pub(crate) fn wait_for_player(&self, stream: &str) {
        self.wait_for_log(&format!("play: name='{stream}'"));
    }

    fn wait_for_log(&self, what: &str) {
        let log = self.folder.path().join("log");
        wait_until(&format!("nginx logs {what} ({})", self.server.stderr()), || {
            fs::read_to_string(&log).is_ok_and(|text| text.contains(what))
        });
    }
}

/// A TCP port that nobody listened on a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

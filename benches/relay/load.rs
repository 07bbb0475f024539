//! One publisher of about 1 Mbit/s and many players. Every packet carries the time it was sent
//! at, and the players are in the publisher's process: so one clock tells the delay.
//!
//! What is measured as delay holds the way through the kernel, and the time a packet waits here
//! until the players before it have been served. Both are the same for every server.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, MediaType, PublishKind,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant as TokioInstant, sleep_until, timeout};

use crate::{Result, process};

/// 25 pictures and 43 packets of sound a second: 0.99 Mbit/s.
const VIDEO_RATE: u64 = 25;
const VIDEO_BYTES: usize = 4600;
const KEYFRAME_EVERY: u64 = 50;
const AUDIO_RATE: u64 = 43;
const AUDIO_BYTES: usize = 200;

/// An FLV tag's own bytes for AVC and for AAC, before what they carry.
const AVC_KEYFRAME: &[u8] = b"\x17\x01\0\0\0";
const AVC_OTHER: &[u8] = b"\x27\x01\0\0\0";
const AAC: &[u8] = b"\xAF\x01";
const AVC_HEADER: &[u8] = b"\x17\0\0\0\0\x01\x42\xC0\x1E\xFF\xE0\0";
const AAC_HEADER: &[u8] = b"\xAF\0\x12\x10";

/// Players that connect at the same time.
const JOINING: usize = 50;
/// How long all players may take to connect, and then to get what was still on its way.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to put on a server.
pub(crate) struct Load {
    /// Where it serves RTMP, on 127.0.0.1.
    pub(crate) port: u16,
    /// The id of the process that is measured.
    pub(crate) server: u32,
    pub(crate) players: usize,
    /// How long the publisher sends.
    pub(crate) seconds: u64,
}

impl Load {
    /// Publishes to all players and tells what that cost the server.
    ///
    /// # Errors
    ///
    /// Where a connection fails, or a player doesn't get every packet.
    pub(crate) fn run(&self) -> Result<Value> {
        // One thread: the players share a core with nothing but each other.
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.measure())
    }

    async fn measure(&self) -> Result<Value> {
        let epoch = Instant::now();
        let schedule = schedule(self.seconds);
        let mut publisher =
            Connection::open(self.port, ClientRole::Publish(PublishKind::Live)).await?;
        publisher.send(MediaType::Video, 0, Bytes::from_static(AVC_HEADER)).await?;
        publisher.send(MediaType::Audio, 0, Bytes::from_static(AAC_HEADER)).await?;

        let empty_kib = process::resident_kib(self.server)?;
        let joined = timeout(PATIENCE, join(self.port, self.players)).await??;
        let mut players = JoinSet::new();
        for player in joined {
            players.spawn(play(player, schedule.len(), epoch));
        }

        let awake = tokio::spawn(stay_awake());
        let cpu_before = process::cpu_time(self.server)?;
        let waited_before = process::waited(self.server)?;
        let start = TokioInstant::now();
        for packet in &schedule {
            sleep_until(start + packet.at).await;
            let payload = packet.payload(micros(epoch));
            let timestamp_ms = u64::try_from(packet.at.as_millis())?;
            publisher.send(packet.kind, timestamp_ms, payload).await?;
        }
        let mut delays = Vec::with_capacity(schedule.len() * self.players);
        let mut finished = Vec::with_capacity(self.players);
        let everything = async {
            while let Some(player) = players.join_next().await {
                let (connection, own_delays) = player??;
                delays.extend(own_delays);
                finished.push(connection);
            }
            Result::Ok(())
        };
        timeout(PATIENCE, everything).await.map_err(|_| "a player did not get everything")??;
        let elapsed = start.elapsed();
        let cpu = process::cpu_time(self.server)?.saturating_sub(cpu_before);
        awake.abort();
        let waited = process::waited(self.server)?.saturating_sub(waited_before);
        let peak_kib = process::peak_kib(self.server)?;

        delays.sort_unstable();
        let at = |share: usize| delays.get((delays.len() - 1) * share / 100);
        let bits: usize = schedule.iter().map(|packet| packet.bytes() * 8).sum();
        Ok(json!({
            "players": self.players,
            "packets": delays.len(),
            "megabits": bits as f64 * self.players as f64 / 1e6,
            "elapsed_s": elapsed.as_secs_f64(),
            "cpu_s": cpu.as_secs_f64(),
            "waited_s": waited.as_secs_f64(),
            "delay_median_us": at(50),
            "delay_p99_us": at(99),
            "kib_per_player": peak_kib.saturating_sub(empty_kib) as f64 / self.players as f64,
        }))
    }
}

/// A packet of the stream and when it is due, counted from the first one.
struct Scheduled {
    at: Duration,
    kind: MediaType,
    /// What stands before the packet's data.
    tag: &'static [u8],
}

impl Scheduled {
    fn bytes(&self) -> usize {
        match self.kind {
            MediaType::Video => VIDEO_BYTES,
            _ => AUDIO_BYTES,
        }
    }

    fn payload(&self, sent_us: u64) -> Bytes {
        let mut payload = BytesMut::with_capacity(self.bytes());
        payload.put_slice(self.tag);
        payload.put_u64(sent_us);
        payload.resize(self.bytes(), 7);
        payload.freeze()
    }
}

fn schedule(seconds: u64) -> Vec<Scheduled> {
    let due = |number: u64, rate: u64| Duration::from_micros(number * 1_000_000 / rate);
    let video = (0..seconds * VIDEO_RATE).map(|number| {
        let tag = if number % KEYFRAME_EVERY == 0 { AVC_KEYFRAME } else { AVC_OTHER };
        Scheduled { at: due(number, VIDEO_RATE), kind: MediaType::Video, tag }
    });
    let audio = (0..seconds * AUDIO_RATE).map(|number| Scheduled {
        at: due(number, AUDIO_RATE),
        kind: MediaType::Audio,
        tag: AAC,
    });
    let mut schedule: Vec<Scheduled> = video.chain(audio).collect();
    schedule.sort_by_key(|packet| packet.at);
    schedule
}

async fn join(port: u16, players: usize) -> Result<Vec<Connection>> {
    let mut joined = Vec::with_capacity(players);
    let mut joining = JoinSet::new();
    for _ in 0..players {
        if joining.len() == JOINING
            && let Some(player) = joining.join_next().await
        {
            joined.push(player??);
        }
        joining.spawn(Connection::open(port, ClientRole::Play { buffer_ms: 0 }));
    }
    while let Some(player) = joining.join_next().await {
        joined.push(player??);
    }
    Ok(joined)
}

/// Plays until it has `packets`, and tells how late each was, in microseconds. It gives the
/// connection back, so that it stays open for as long as others play.
async fn play(
    mut player: Connection,
    packets: usize,
    epoch: Instant,
) -> Result<(Connection, Vec<u64>)> {
    let mut delays = Vec::with_capacity(packets);
    while delays.len() < packets {
        player.receive().await?;
        let received_us = micros(epoch);
        while let Some(event) = player.session.poll_event() {
            match event {
                ClientEvent::Media(media) => {
                    let tag = match media.kind {
                        MediaType::Video => AVC_OTHER.len(),
                        MediaType::Audio => AAC.len(),
                        _ => continue,
                    };
                    // Sequence headers carry no time.
                    if media.payload.get(1) != Some(&1) {
                        continue;
                    }
                    let sent = media.payload.get(tag..).and_then(|data| data.first_chunk());
                    let sent_us = u64::from_be_bytes(*sent.ok_or("a packet was cut short")?);
                    delays.push(received_us.saturating_sub(sent_us));
                }
                ClientEvent::Ended { code } => return Err(format!("ended: {code}").into()),
                _ => {}
            }
        }
        player.flush().await?;
    }
    Ok((player, delays))
}

/// Keeps this process from ever sleeping. To wake a process on another core costs whoever sends
/// to it, and the more often the faster it empties its sockets. Players of a real server are on
/// other machines, where that is not the server's cost.
async fn stay_awake() {
    loop {
        for _ in 0..100 {
            std::hint::spin_loop();
        }
        tokio::task::yield_now().await;
    }
}

fn micros(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A session and its socket.
struct Connection {
    session: ClientSession,
    socket: TcpStream,
    input: BytesMut,
}

impl Connection {
    /// Connects and waits until media may flow.
    async fn open(port: u16, role: ClientRole) -> Result<Self> {
        let config = ClientConfig::new("rtmp://127.0.0.1/live", "live", "bench", role);
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        socket.set_nodelay(true)?;
        let session = ClientSession::new(config);
        let mut connection = Connection { session, socket, input: BytesMut::new() };
        loop {
            while let Some(event) = connection.session.poll_event() {
                match event {
                    ClientEvent::Started => return Ok(connection),
                    ClientEvent::Refused { code, .. } => {
                        return Err(format!("refused: {code}").into());
                    }
                    _ => {}
                }
            }
            connection.flush().await?;
            connection.receive().await?;
        }
    }

    async fn send(&mut self, kind: MediaType, timestamp_ms: u64, payload: Bytes) -> Result<()> {
        self.session.send_media(kind, timestamp_ms, payload)?;
        self.flush().await
    }

    async fn flush(&mut self) -> Result<()> {
        // In one write: a packet is not to wait for the second half of its own header.
        let mut output = BytesMut::new();
        while let Some(piece) = self.session.poll_output() {
            output.put_slice(&piece);
        }
        if !output.is_empty() {
            self.socket.write_all(&output).await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<()> {
        self.input.clear();
        self.input.reserve(8192);
        if self.socket.read_buf(&mut self.input).await? == 0 {
            return Err("the server closed a connection".into());
        }
        self.session.receive(&self.input)?;
        Ok(())
    }
}

//! Clients that try to make a server hold as much as they can. By a seed, so that what one does can
//! be done again.
#![allow(dead_code, reason = "each crate's tests take what they need")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use frameloom_rtmp::OutputBuffer;
use frameloom_rtmp::amf0::{Value, object};
use frameloom_rtmp::chunk::ChunkWriter;
use frameloom_rtmp::command::CommandMessage;
use frameloom_rtmp::message::{ControlMessage, Message, kind};

/// The largest message that a server takes by default, and the largest chunks.
const LARGEST: usize = 8 << 20;
const CHUNK: u32 = 1 << 20;

/// What attackers have sent in all, in bytes.
#[derive(Default)]
pub(crate) struct Attack {
    pub(crate) over: AtomicBool,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) connections: AtomicU64,
}

/// Numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Bytes of any length, without memory of its own for each.
fn filler(length: usize) -> Bytes {
    static ALL: OnceLock<Bytes> = OnceLock::new();
    ALL.get_or_init(|| vec![0x27; LARGEST].into()).slice(..length)
}

/// An aggregate with 3 bytes of audio, and a large tag of a type that is ignored.
fn aggregate() -> Bytes {
    static ONE: OnceLock<Bytes> = OnceLock::new();
    let make = || {
        let mut bytes = vec![kind::AUDIO, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xAF, 1, 2, 0, 0, 0, 14];
        let rest = LARGEST - bytes.len() - 11;
        let length = u32::try_from(rest).unwrap().to_be_bytes();
        bytes.extend([7, length[1], length[2], length[3], 0, 0, 0, 0, 0, 0, 0]);
        bytes.resize(LARGEST, 0);
        Bytes::from(bytes)
    };
    ONE.get_or_init(make).clone()
}

/// An aggregate of tiny tags.
fn crumbs() -> Bytes {
    let tag = [kind::AUDIO, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xAF, 1, 0, 0, 0, 13];
    tag.repeat(60_000).into()
}

struct Client<'a> {
    socket: TcpStream,
    writer: ChunkWriter,
    attack: &'a Attack,
}

/// The server has closed, or the attack is over.
struct Closed;

impl<'a> Client<'a> {
    fn new(address: SocketAddr, attack: &'a Attack) -> Result<Self, Closed> {
        let socket = TcpStream::connect(address).map_err(|_| Closed)?;
        socket.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        attack.connections.fetch_add(1, Ordering::Relaxed);
        let mut client = Client { socket, writer: ChunkWriter::new(), attack };
        client.write(&[3])?;
        client.write(&[0; 1536])?;
        client.socket.read_exact(&mut [0; 3073]).map_err(|_| Closed)?;
        client.write(&[0; 1536])?;
        let command = CommandMessage {
            object: object([("app", "live".into())]),
            ..CommandMessage::new("connect", 1.0, vec![])
        };
        client.send(&ControlMessage::SetChunkSize(CHUNK).message())?;
        client.send(&command.message(0))?;
        Ok(client)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        if self.attack.over.load(Ordering::Relaxed) {
            return Err(Closed);
        }
        // What the server says is of no interest, but must not fill the socket.
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
        self.socket.set_nonblocking(false).unwrap();
        self.socket.write_all(bytes).map_err(|_| Closed)?;
        self.attack.sent_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn send(&mut self, message: &Message) -> Result<(), Closed> {
        let mut output = OutputBuffer::new();
        self.writer.write(message, &mut output).unwrap();
        while let Some(piece) = output.poll() {
            self.write(&piece)?;
        }
        Ok(())
    }

    fn call(&mut self, name: &str, arguments: Vec<Value>, stream_id: u32) -> Result<(), Closed> {
        self.send(&CommandMessage::new(name, 0.0, arguments).message(stream_id))
    }

    /// Publishes on message stream `id`, under a name of its own.
    fn publish(&mut self, seed: u64, id: u32) -> Result<(), Closed> {
        self.call("publish", vec![format!("hostile-{seed}-{id}").as_str().into()], id)
    }

    fn media(&mut self, kind: u8, stream_id: u32, time: u32, payload: Bytes) -> Result<(), Closed> {
        let chunk_stream = 10 + stream_id;
        self.send(&Message { chunk_stream, timestamp: time, kind, stream_id, payload })
    }

    /// One chunk of a message that never ends.
    fn unfinished(&mut self, chunk_stream: u8, stream_id: u32) -> Result<(), Closed> {
        let length = u32::try_from(LARGEST).unwrap().to_be_bytes();
        let mut header = vec![chunk_stream, 0, 0, 0, length[1], length[2], length[3], 9];
        header.extend(stream_id.to_le_bytes());
        self.write(&header)?;
        self.write(&filler(CHUNK as usize))
    }
}

fn header(track: u8, number: u32) -> Bytes {
    let mut bytes = vec![0x96, 0x00];
    bytes.extend(b"av01");
    bytes.push(track);
    bytes.extend(number.to_be_bytes());
    bytes.resize(300, 1);
    bytes.into()
}

fn keyframe(number: u32) -> Bytes {
    [&[0x17, 1, 0, 0, 0][..], &number.to_be_bytes()].concat().into()
}

/// Attacks until it is over, each time with a new connection and in another way.
pub(crate) fn attack(address: SocketAddr, seed: u64, attack: &Attack) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut round = seed << 20;
    while !attack.over.load(Ordering::Relaxed) {
        round += 1;
        let style = (random.below(7) + usize::try_from(seed).unwrap_or(0)) % 7;
        if once(address, round, style, &mut random, attack).is_err() {
            // A server that refuses at once is asked again, but not without a breath.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn once(
    address: SocketAddr,
    seed: u64,
    style: usize,
    random: &mut Random,
    attack: &Attack,
) -> Result<(), Closed> {
    let mut client = Client::new(address, attack)?;
    match style {
        0 => {
            client.publish(seed, 1)?;
            for _ in 0..100 {
                client.media(kind::AGGREGATE, 1, 7, aggregate())?;
                client.media(kind::AGGREGATE, 1, 7, crumbs())?;
            }
        }
        1 => {
            client.publish(seed, 1)?;
            for number in 0..40_000 {
                client.media(kind::VIDEO, 1, 7, header((number % 64) as u8, number))?;
                client.media(kind::VIDEO, 1, 7, keyframe(number))?;
            }
        }
        2 => {
            for id in 1..=8 {
                client.publish(seed, id)?;
            }
            for number in 0..200_u32 {
                let length = 1 + random.below(LARGEST);
                client.media(kind::VIDEO, 1 + number % 8, 7, filler(length))?;
            }
        }
        3 => {
            client.publish(seed, 1)?;
            for chunk_stream in 20..35 {
                client.unfinished(chunk_stream, 1)?;
            }
            // And holds them.
            std::thread::sleep(Duration::from_millis(500));
        }
        4 => {
            // A player that has nothing to send sends all the same.
            client.call("play", vec!["camera".into()], 1)?;
            for chunk_stream in 20..35 {
                client.unfinished(chunk_stream, 1)?;
            }
        }
        5 => {
            // It ends what its own player, which pauses, has not taken.
            let mut player = Client::new(address, attack)?;
            for id in 1..=8 {
                client.publish(seed, id)?;
                let name = format!("hostile-{seed}-{id}");
                player.call("play", vec![name.as_str().into()], id)?;
                player.call("pause", vec![true.into()], id)?;
                for number in 0..5 {
                    client.media(kind::VIDEO, id, number, filler(LARGEST / 2))?;
                }
                client.call("closeStream", vec![], id)?;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        _ => {
            client.publish(seed, 1)?;
            for _ in 0..300 {
                let kinds = [kind::AUDIO, kind::VIDEO, kind::DATA_AMF0, kind::AGGREGATE, 3, 77];
                let kind = kinds[random.below(kinds.len())];
                let shift = random.below(23);
                let payload = filler(1 + random.below(1 << shift));
                let time = [0, 7, u32::MAX, 0x1234][random.below(4)];
                client.media(kind, 1 + random.below(3) as u32, time, payload)?;
            }
        }
    }
    let _ = client.socket.shutdown(Shutdown::Both);
    Ok(())
}

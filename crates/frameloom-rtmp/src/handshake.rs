//! The handshake (RTMP 1.0, section 5.2), both roles, and the digest one of Flash Player 9 and
//! later, which Adobe never published: clients that use it refuse H.264 without it.

use bytes::{BufMut, Bytes, BytesMut};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::output::OutputBuffer;
use crate::{Error, Result};

/// C1, S1, C2 and S2, in bytes.
pub const PACKET_BYTES: usize = 1536;
const DIGEST_BYTES: usize = 32;
const PLAYER_KEY: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_KEY: &[u8] = b"Genuine Adobe Flash Media Server 001";
/// Follows either key where an answer is signed.
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

type HandshakePacket = [u8; PACKET_BYTES];

/// Which of the two layouts a digest was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestScheme {
    /// The key block first: the digest lies after byte 772.
    KeyFirst,
    /// The digest block first: the digest lies after byte 8.
    DigestFirst,
}

impl DigestScheme {
    fn offset(self, packet: &HandshakePacket) -> usize {
        let base = match self {
            DigestScheme::KeyFirst => 772,
            DigestScheme::DigestFirst => 8,
        };
        let sum: usize = packet[base..base + 4].iter().map(|byte| usize::from(*byte)).sum();
        sum % 728 + base + 4
    }
}

fn hmac(key: &[&[u8]], data: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    // HMAC takes a key of any length, so the error is never made.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.concat()) else {
        return [0; DIGEST_BYTES];
    };
    for part in data {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn packet_digest(packet: &HandshakePacket, offset: usize, key: &[u8]) -> [u8; DIGEST_BYTES] {
    hmac(&[key], &[&packet[..offset], &packet[offset + DIGEST_BYTES..]])
}

fn find_digest(packet: &HandshakePacket, key: &[u8]) -> Option<(DigestScheme, [u8; DIGEST_BYTES])> {
    [DigestScheme::DigestFirst, DigestScheme::KeyFirst].into_iter().find_map(|scheme| {
        let offset = scheme.offset(packet);
        let digest = packet_digest(packet, offset, key);
        (packet[offset..offset + DIGEST_BYTES] == digest).then_some((scheme, digest))
    })
}

fn sign(packet: &mut HandshakePacket, scheme: DigestScheme, key: &[u8]) {
    let offset = scheme.offset(packet);
    let digest = packet_digest(packet, offset, key);
    packet[offset..offset + DIGEST_BYTES].copy_from_slice(&digest);
}

/// An answer (S2 or C2) whose last 32 bytes prove that the other's digest was read.
fn answer(mut packet: HandshakePacket, key: &[u8], digest: &[u8; DIGEST_BYTES]) -> HandshakePacket {
    let (body, tail) = packet.split_at_mut(PACKET_BYTES - DIGEST_BYTES);
    let signing = hmac(&[key, &KEY_TAIL], &[digest]);
    tail.copy_from_slice(&hmac(&[&signing], &[body]));
    packet
}

/// Filler: it has to vary, not to be secret (xorshift64*).
fn filler(seed: &mut u64) -> HandshakePacket {
    let mut packet = [0; PACKET_BYTES];
    for word in packet.chunks_exact_mut(8) {
        *seed ^= *seed >> 12;
        *seed ^= *seed << 25;
        *seed ^= *seed >> 27;
        word.copy_from_slice(&seed.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes());
    }
    packet
}

fn send(version: Option<u8>, packets: &[&HandshakePacket], output: &mut OutputBuffer) {
    let mut bytes = BytesMut::with_capacity(1 + packets.len() * PACKET_BYTES);
    if let Some(version) = version {
        bytes.put_u8(version);
    }
    for packet in packets {
        bytes.put_slice(&packet[..]);
    }
    output.push(Bytes::from(bytes));
}

/// One side of a handshake. It uses no byte beyond its own.
#[derive(Debug)]
pub struct Handshake {
    state: HandshakeState,
    received: Vec<u8>,
    seed: u64,
    scheme: Option<DigestScheme>,
}

#[derive(Debug)]
enum HandshakeState {
    /// The server waits for C0 and C1.
    ServerHello,
    /// The server waits for C2.
    ServerEnd,
    /// The client waits for S0 and S1. Whether C1 was signed.
    ClientHello(bool),
    /// The client waits for S2.
    ClientEnd,
    Done,
}

impl Handshake {
    /// The server's side. `seed` makes the filler.
    #[must_use]
    pub fn server(seed: u64) -> Self {
        Handshake {
            state: HandshakeState::ServerHello,
            received: Vec::new(),
            seed: seed | 1,
            scheme: None,
        }
    }

    /// The client's side, which speaks first. With a `scheme` C1 carries a digest.
    pub fn client(seed: u64, scheme: Option<DigestScheme>, output: &mut OutputBuffer) -> Self {
        let mut seed = seed | 1;
        let mut c1 = filler(&mut seed);
        // Time zero; then zero for a plain handshake, a version of the player for a signed one.
        c1[..8].fill(0);
        if let Some(scheme) = scheme {
            c1[4..8].copy_from_slice(&[9, 0, 124, 2]);
            sign(&mut c1, scheme, PLAYER_KEY);
        }
        send(Some(3), &[&c1], output);
        let state = HandshakeState::ClientHello(scheme.is_some());
        Handshake { state, received: Vec::new(), seed, scheme: None }
    }

    /// Whether it is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, HandshakeState::Done)
    }

    /// The layout of the peer's digest, where it had one.
    #[must_use]
    pub fn scheme(&self) -> Option<DigestScheme> {
        self.scheme
    }

    /// Reads from the front of `input`; answers go to `output`. True once it is complete.
    ///
    /// What the peer echoes is not compared: clients in use get it wrong, and nothing rests on it.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] for another protocol, at its first byte.
    pub fn read(&mut self, input: &mut &[u8], output: &mut OutputBuffer) -> Result<bool> {
        loop {
            let with_version =
                matches!(self.state, HandshakeState::ServerHello | HandshakeState::ClientHello(_));
            if self.is_done() {
                return Ok(true);
            }
            if let (true, true, Some(&version)) =
                (with_version, self.received.is_empty(), input.first())
                && version != 3
            {
                return Err(Error::Version(version));
            }
            let lacking = PACKET_BYTES + usize::from(with_version) - self.received.len();
            let (head, rest) = input.split_at(lacking.min(input.len()));
            self.received.extend_from_slice(head);
            *input = rest;
            if head.len() < lacking {
                return Ok(false);
            }
            let mut packet = [0; PACKET_BYTES];
            packet.copy_from_slice(&self.received[usize::from(with_version)..]);
            self.received.clear();
            self.advance(&packet, output);
        }
    }

    fn advance(&mut self, packet: &HandshakePacket, output: &mut OutputBuffer) {
        self.state = match self.state {
            HandshakeState::ServerHello => {
                let mut s1 = filler(&mut self.seed);
                s1[..8].fill(0);
                let s2 = match find_digest(packet, PLAYER_KEY) {
                    Some((scheme, digest)) => {
                        self.scheme = Some(scheme);
                        s1[4..8].copy_from_slice(&[4, 5, 0, 1]);
                        sign(&mut s1, scheme, SERVER_KEY);
                        answer(filler(&mut self.seed), SERVER_KEY, &digest)
                    }
                    None => *packet,
                };
                send(Some(3), &[&s1, &s2], output);
                HandshakeState::ServerEnd
            }
            HandshakeState::ClientHello(signed) => {
                // A server that knows no digests answers a signed C1 plainly, and gets an echo.
                let c2 = match find_digest(packet, SERVER_KEY).filter(|_| signed) {
                    Some((scheme, digest)) => {
                        self.scheme = Some(scheme);
                        answer(filler(&mut self.seed), PLAYER_KEY, &digest)
                    }
                    None => *packet,
                };
                send(None, &[&c2], output);
                HandshakeState::ClientEnd
            }
            HandshakeState::ServerEnd | HandshakeState::ClientEnd | HandshakeState::Done => {
                HandshakeState::Done
            }
        };
        if self.is_done() {
            self.received = Vec::new();
        }
    }
}

//! Packets ⇄ frames: decoders, encoders, sound, and what is made where a stream gives nothing.

pub(crate) mod aac;
pub(crate) mod ac3;
pub(crate) mod audio;
pub(crate) mod audio_frame;
pub(crate) mod bitstream;
pub(crate) mod configuration;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod packet;
pub(crate) mod parameter_sets;
pub(crate) mod silence;
pub(crate) mod subtitle;
pub(crate) mod untouched;
pub(crate) mod window;

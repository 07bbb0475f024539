//! Gives the encoders of a caller's own frames and sound their threads.

use crossbeam_channel::Sender;

use crate::error::Result;
use crate::run::graph::PipelineGraph;
use crate::run::open::{NodeContext, Nodes};
use crate::run::spawn::{WriterSink, spawn_audio_encoder, spawn_video_encoder, users_of};
use crate::run::stages::{AudioMessage, EncodeMessage};
use crate::run::threads::Threads;

/// The ways to the encoders of a caller's own frames and sound, where it has them.
#[derive(Default)]
pub(crate) struct CallerEnds {
    pub(crate) frames: Option<Sender<EncodeMessage>>,
    pub(crate) sound: Option<Sender<AudioMessage>>,
}

impl Nodes {
    /// As [`Nodes::spawn`], for a caller's own frames and sound. Gives the ways to their encoders.
    pub(super) fn spawn_for_caller(
        mut self,
        graph: &PipelineGraph,
        sinks: Vec<WriterSink>,
        context: &NodeContext,
        threads: &mut Threads,
    ) -> Result<CallerEnds> {
        self.spawn_writers(graph, sinks, context, threads)?;
        let mut ends = CallerEnds::default();
        for (number, (node, group)) in
            graph.video_encoders.iter().zip(self.video_encoders).enumerate()
        {
            let outputs = users_of(graph, &node.users);
            let end =
                spawn_video_encoder(node, group, outputs, None, number == 0, context, threads)?;
            ends.frames = ends.frames.or(Some(end.frames));
        }
        for (node, (transcoder, users)) in graph.audio_encoders.iter().zip(self.audio_encoders) {
            let sound = spawn_audio_encoder(node, transcoder, users, &context.stop, threads)?;
            ends.sound = ends.sound.or(Some(sound));
        }
        Ok(ends)
    }
}

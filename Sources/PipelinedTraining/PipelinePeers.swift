import ContextLoRA
import Foundation
import LanguageModels
import Transport

/// The ranks of a pipeline as the trainer sees them. Rank 0 writes the run's files.
public final class PipelinePeers: TrainingPeers {
  private let pipeline: Pipeline
  private var transport: any Transport { pipeline.transport }

  /// The adapted layers of the whole model.
  private let sites: [AdapterSite]

  /// - Parameter sites: the adapted layers of the whole model.
  public init(_ pipeline: Pipeline, sites: [AdapterSite]) {
    self.pipeline = pipeline
    self.sites = sites
  }

  /// The adapted layers of a rank.
  public func sites(ofRank rank: Int) -> [AdapterSite] {
    sites.filter { pipeline.cuts[rank].contains($0.layer) }
  }

  /// Whether this is rank 0.
  public var writes: Bool { transport.rank == 0 }

  /// One stage of the pipeline.
  public func gradientEngine(
    _ stage: LlamaStage, adapter: AdapterView, rows: Int
  ) -> any GradientComputing {
    PipelineStageEngine(pipeline, stage: stage, adapter: adapter, rows: rows)
  }

  /// Rank 0 adds and joins, in the order of the ranks, and tells all.
  public func combine(_ own: StepShare) throws -> StepShare {
    let parts = try transport.gather(bytes([own.loss] + own.squaredNorms), seconds: pipeline.deadline)
    var all: [UInt8] = []
    if transport.rank == 0 {
      let shares = parts.map(doubles)
      let loss = shares.reduce(0) { $0 + $1[0] }
      all = bytes([loss] + shares.flatMap { $0.dropFirst() })
    }
    let values = doubles(try transport.broadcast(all, seconds: pipeline.deadline))
    return StepShare(loss: values[0], squaredNorms: Array(values.dropFirst()))
  }

  /// What rank 0 wants.
  public func agree(stop: Bool) throws -> Bool {
    try transport.broadcast([stop ? 1 : 0], seconds: pipeline.deadline) == [1]
  }

  /// The whole checkpoint on rank 0.
  public func collect(_ part: TrainingCheckpoint) throws -> TrainingCheckpoint? {
    let payloads = try transport.gather(CheckpointMessage.bytes(part), seconds: pipeline.deadline)
    guard writes else { return nil }
    return TrainingCheckpoint(
      joining: payloads.enumerated().map { rank, payload in
        CheckpointMessage.checkpoint(payload, like: part, sites: sites(ofRank: rank))
      })
  }

  /// Gives every rank a copy of rank 0's bytes, such as a checkpoint's file.
  ///
  /// - Throws: the transport's errors.
  public func share(_ bytes: [UInt8]) throws -> [UInt8] {
    try transport.broadcast(bytes, seconds: pipeline.deadline)
  }

  /// Compares what all ranks must have in common: rank 0's text with everybody's.
  ///
  /// - Returns: on every rank, the ranks whose text is another.
  /// - Throws: the transport's errors.
  public func differing(_ text: String) throws -> [Int] {
    let texts = try transport.gather(Array(text.utf8), seconds: pipeline.deadline)
    let others = texts.indices.filter { texts[$0] != texts[0] }
    return try share(others.flatMap { withUnsafeBytes(of: UInt32($0).littleEndian) { Array($0) } })
      .chunks(of: 4).map { Int($0.enumerated().reduce(0) { $0 | UInt32($1.element) << (8 * $1.offset) }) }
  }
}

extension Array {
  fileprivate func chunks(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}

private func bytes(_ values: [Double]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

private func doubles(_ bytes: [UInt8]) -> [Double] {
  bytes.withUnsafeBytes { raw in
    stride(from: 0, to: raw.count, by: 8).map { raw.loadUnaligned(fromByteOffset: $0, as: Double.self) }
  }
}

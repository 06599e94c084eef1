extension Plan {
  /// A stage and the bytes it needs.
  package struct StageMemory: Sendable, Equatable {
    /// The device's index in the cluster.
    package var device: Int
    /// Bytes that it needs at its peak.
    package var needed: Int
    /// Bytes that it may use.
    package var available: Int
    /// Missing bytes; 0 or negative if the stage fits.
    package var shortage: Int { needed - available }
  }

  /// The memory of every stage, pipeline by pipeline, `D_t` before `D_f`.
  package func memory(_ devices: [Device], shape: ModelShape, workload: Workload) -> [StageMemory] {
    pipelines.flatMap { pipeline in
      [(pipeline.trained, true), (pipeline.forward, false)].flatMap { group, trains in
        group.enumerated().map { index, stage in
          let inFlight = Self.inFlight(order, stage: index, stages: group.count, count: pipeline.count)
          return StageMemory(
            device: stage.device,
            needed: (pipelines.count > 1 && trains ? exchangedBytes(stage, shape, workload) : 0)
              + StageCosts.memory(
                shape.stored(on: devices[stage.device]), workload, layers: stage.layers,
                microBatch: pipeline.microBatch, trains: trains,
                inFlight: inFlight), available: devices[stage.device].memory)
        }
      }
    }
  }

  /// Bytes of a stage's gradients in transit between replicas: one message awaited from each neighbour in the
  /// tree, one in use, and one on its way to each neighbour on the opposite side.
  private func exchangedBytes(_ stage: Stage, _ shape: ModelShape, _ workload: Workload) -> Int {
    (pipelines.count == 2 ? 3 : 6) * 4 * shape.adapted(stage.layers) * shape.columnValues
      * workload.trainedColumns
  }

  /// Whether every stage fits on its device.
  func fits(_ devices: [Device], shape: ModelShape, workload: Workload) -> Bool {
    memory(devices, shape: shape, workload: workload).allSatisfy { $0.shortage <= 0 }
  }
}

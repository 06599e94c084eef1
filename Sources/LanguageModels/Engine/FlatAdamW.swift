import Tensor

/// A flat float32 vector of parameters with AdamW's moments.
package final class FlatAdamW: @unchecked Sendable {
  // Unchecked: not used from two threads at once; its workers split the vector.
  /// The number of parameters.
  package let count: Int
  /// The number of steps taken.
  package private(set) var step = 0
  private let settings: AdamWSettings
  private let device: any ComputeDevice
  private let memory: DeviceMemory
  /// The parameters, `[1, count]`.
  package let parameters: Matrix
  private let firstMoment: Matrix
  private let secondMoment: Matrix
  private let workers: [any TensorOperations]

  /// Starts with zero moments.
  package init(_ values: [Float], settings: AdamWSettings, device: any ComputeDevice) {
    (count, self.settings, self.device) = (values.count, settings, device)
    memory = device.allocate(byteCount: 3 * (count * 4 + 64))
    var planner = ArenaPlanner(memory: memory)
    parameters = planner.matrix(rows: 1, columns: count, type: .float32)
    firstMoment = planner.matrix(rows: 1, columns: count, type: .float32)
    secondMoment = planner.matrix(rows: 1, columns: count, type: .float32)
    workers = (0..<device.workerCount).map { _ in device.makeOperations(threads: 1) }
    workers[0].write(values, scale: 1, into: parameters)
  }

  /// Bytes allocated.
  package var byteCount: Int { memory.byteCount }

  /// Takes one step.
  ///
  /// - Parameters:
  ///   - gradient: `[1, count]` float32.
  ///   - pieces: ranges of the vector that together cover it, each with the factor of its gradient.
  package func update(_ gradient: Matrix, _ pieces: [(range: Range<Int>, factor: Float)], learningRate: Float)
  {
    step += 1
    let parts = workers.count
    device.onEachWorker { index in
      for (range, factor) in pieces {
        let share = (range.count + parts - 1) / parts
        let start = min(range.lowerBound + index * share, range.upperBound)
        let part = start..<min(start + share, range.upperBound)
        if part.isEmpty { continue }
        workers[index].adamW(
          parameters: parameters.columns(part), gradient: gradient.columns(part), gradientScale: factor,
          firstMoment: firstMoment.columns(part), secondMoment: secondMoment.columns(part),
          settings: settings, learningRate: learningRate, step: step)
      }
    }
  }

  /// The moments and the number of steps; can be set to resume.
  ///
  /// - Precondition: the vectors have ``count`` values.
  package var state: ColumnOptimizer.State {
    get {
      ColumnOptimizer.State(
        firstMoment: workers[0].values(firstMoment), secondMoment: workers[0].values(secondMoment), step: step
      )
    }
    set {
      precondition(
        newValue.firstMoment.count == count && newValue.secondMoment.count == count,
        "FlatAdamW: a state of another size")
      workers[0].write(newValue.firstMoment, scale: 1, into: firstMoment)
      workers[0].write(newValue.secondMoment, scale: 1, into: secondMoment)
      step = newValue.step
    }
  }

  /// The parameters; can be set.
  ///
  /// - Precondition: there are ``count`` values.
  package var values: [Float] {
    get { workers[0].values(parameters) }
    set {
      precondition(newValue.count == count, "FlatAdamW: values of another size")
      workers[0].write(newValue, scale: 1, into: parameters)
    }
  }
}

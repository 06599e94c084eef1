import Foundation

/// Devices, the links between them, and the origin of these figures.
package struct Cluster: Codable, Hashable, Sendable {
  /// The cluster's name.
  package var name: String
  /// When and where it was measured; `nil` if it is only described.
  package var measured: Provenance?
  /// The devices. Plans refer to them by index.
  package var devices: [Device]
  /// Links between two devices. They take precedence over networks.
  package var links: [Link]
  /// Media that connect several devices.
  package var networks: [Network]
  /// What a launcher needs besides the devices' addresses; `nil` for the defaults.
  package var launch: Launch?

  /// Creates a cluster without validation; `init(_:)` validates.
  package init(
    name: String, measured: Provenance? = nil, devices: [Device], links: [Link] = [],
    networks: [Network] = [], launch: Launch? = nil
  ) {
    (self.name, self.measured, self.devices, self.links) = (name, measured, devices, links)
    (self.networks, self.launch) = (networks, launch)
  }
}

/// How a job's ranks are started and reach each other.
package struct Launch: Encodable, Hashable, Sendable {
  /// The network that messages use: an interface's name or `ADDRESS/BITS`.
  package var network: String?
  /// The program that starts a command on another host.
  package var remoteShell: String?

  package init(network: String? = nil, remoteShell: String? = nil) {
    (self.network, self.remoteShell) = (network, remoteShell)
  }
}

/// When, where and with what something was measured.
package struct Provenance: Encodable, Hashable, Sendable {
  /// The time in ISO 8601.
  package var when: String
  /// The machine or the location.
  package var machine: String
  /// The model whose layers were timed, as `ModelShape.signature`; `nil` if only links were measured.
  package var model: String?
  /// The settings of the measurement, as text.
  package var settings: String?

  package init(when: String, machine: String, model: String? = nil, settings: String? = nil) {
    (self.when, self.machine, self.model, self.settings) = (when, machine, model, settings)
  }

  /// `measured 2026-01-02T03:04:05Z (3 days ago) on lab`.
  package func text(now: Date) -> String {
    let age = (try? Date(when, strategy: .iso8601)).map { " (\(Self.age(now.timeIntervalSince($0))))" }
    return "measured \(when)\(age ?? "") on \(machine)"
  }

  private static func age(_ seconds: Double) -> String {
    let units = [(86_400.0, "day"), (3600, "hour"), (60, "minute")]
    guard let (size, name) = units.first(where: { seconds >= $0.0 }) else {
      return seconds < 0 ? "in the future" : "just now"
    }
    let count = Int(min(seconds / size, 1e9))
    return "\(count) \(name)\(count == 1 ? "" : "s") ago"
  }
}

/// One device of a cluster.
package struct Device: Encodable, Hashable, Sendable {
  /// Its name, unique in the cluster.
  package var name: String
  /// Its address, for the launcher.
  package var host: String?
  /// The user that the launcher logs in as.
  package var user: String?
  /// The number of threads it computes with, which its measured times hold for. If `nil`, the device chooses.
  package var workers: Int?
  /// Devices with the same number share a machine and slow each other down, as given by
  /// `MeasuredTimes.contention`. `nil` for a machine of its own.
  package var machine: Int?
  /// Bytes that training may use.
  package var memory: Int
  /// How long its work takes.
  package var speed: Speed

  /// The source of a device's times.
  package enum Speed: Hashable, Sendable {
    /// Timed on the device itself.
    case measured(MeasuredTimes)
    /// Estimated from peak rates (roofline).
    case described(DescribedRate)
  }

  package init(
    name: String, host: String? = nil, user: String? = nil, workers: Int? = nil, machine: Int? = nil,
    memory: Int, speed: Speed
  ) {
    (self.name, self.host, self.user, self.workers) = (name, host, user, workers)
    (self.machine, self.memory, self.speed) = (machine, memory, speed)
  }
}

/// Times of one layer (and of the head) for micro-batches of several sizes.
package struct MeasuredTimes: Codable, Hashable, Sendable {
  /// The times for one size.
  package struct Point: Encodable, Hashable, Sendable {
    /// Rows of the micro-batch: tokens or, for the head, labelled tokens.
    package var tokens: Int
    /// Seconds of the forward pass.
    package var forward: Double
    /// Seconds of the backward pass.
    package var backward: Double

    package init(tokens: Int, forward: Double, backward: Double) {
      (self.tokens, self.forward, self.backward) = (tokens, forward, backward)
    }
  }

  /// One transformer layer; at least one point, ascending by tokens.
  package var layer: [Point]
  /// Final norm, head and loss; empty if negligible.
  package var head: [Point]
  /// The token embedding; empty if negligible. Its backward time is not used.
  package var embedding: [Point]
  /// Seconds of the optimiser update per layer.
  package var updatePerLayer: Double
  /// Seconds per layer to sum replicas' gradients; `nil` if negligible.
  package var sumPerLayer: SumTimes?
  /// The number of rank columns, all trained, of each adapted matrix in `layer`, `updatePerLayer` and
  /// `sumPerLayer`; `nil` if these times hold for any number.
  package var rank: Int?
  /// The layer with other numbers of columns; empty if `layer` holds for any number.
  package var columns: [ColumnTimes]
  /// The share of a layer's time that the model's last layer saves on rows without a label; `nil` for the
  /// share of its matrix products that come after attention.
  package var lastLayerSaves: Saving?
  /// Whether the device merges frozen columns into its weights if nothing else computes with them.
  package var mergesFrozen: Bool
  /// Bytes per stored weight on the measured device, 2 or 4; `nil` for the model shape's.
  package var valueBytes: Int?
  /// The slowdown beside other devices of the same machine; `nil` if there were none.
  package var contention: Contention?
  /// When, where and with which model this was measured.
  package var measured: Provenance?

  package init(
    layer: [Point], head: [Point] = [], embedding: [Point] = [], updatePerLayer: Double = 0,
    sumPerLayer: SumTimes? = nil, rank: Int? = nil, columns: [ColumnTimes] = [],
    lastLayerSaves: Saving? = nil, mergesFrozen: Bool = false,
    valueBytes: Int? = nil, contention: Contention? = nil, measured: Provenance? = nil
  ) {
    (self.layer, self.head, self.embedding) = (layer, head, embedding)
    (self.updatePerLayer, self.sumPerLayer, self.rank) = (updatePerLayer, sumPerLayer, rank)
    (self.columns, self.lastLayerSaves, self.mergesFrozen) = (columns, lastLayerSaves, mergesFrozen)
    (self.valueBytes, self.contention, self.measured) = (valueBytes, contention, measured)
  }
}

/// Seconds that a device needs to sum replicas' gradients, in addition to the time on the network.
package struct SumTimes: Encodable, Hashable, Sendable {
  /// To copy gradients into or out of a message.
  package var copy: Double
  /// To take gradients out of a message and add them.
  package var add: Double

  package init(copy: Double, add: Double) {
    (self.copy, self.add) = (copy, add)
  }
}

/// A share of the time in each direction, in `0...1`.
package struct Saving: Encodable, Hashable, Sendable {
  /// The share of the forward pass.
  package var forward: Double
  /// The share of the backward pass.
  package var backward: Double

  package init(forward: Double, backward: Double) {
    (self.forward, self.backward) = (forward, backward)
  }
}

/// Times of one layer with given numbers of rank columns.
package struct ColumnTimes: Encodable, Hashable, Sendable {
  /// Trained columns of each adapted matrix.
  package var trained: Int
  /// Frozen columns of each adapted matrix.
  package var frozen: Int
  /// At least one size, ascending by tokens.
  package var layer: [MeasuredTimes.Point]

  package init(trained: Int, frozen: Int, layer: [MeasuredTimes.Point]) {
    (self.trained, self.frozen, self.layer) = (trained, frozen, layer)
  }
}

/// How devices of one machine slow each other down: factors of at least 1 by which work takes longer while
/// others compute. Memory-bound work slows down more than compute-bound work.
package struct Contention: Encodable, Hashable, Sendable {
  /// The slowdown of work of one size.
  package struct Size: Encodable, Hashable, Sendable {
    /// Rows of the micro-batch: tokens or, for the head, labelled tokens.
    package var tokens: Int
    /// The slowdown factor.
    package var factor: Double

    package init(tokens: Int, factor: Double) {
      (self.tokens, self.factor) = (tokens, factor)
    }
  }

  /// The factor of work that has none of its own.
  package var factor: Double
  /// The number of other devices of the machine that computed during the measurement.
  package var others: Int
  /// The factors of a layer and of the head, ascending by tokens.
  package var layer, head: [Size]
  /// The factors of `updatePerLayer` and of `sumPerLayer`.
  package var update, sum: Double?

  package init(
    factor: Double, others: Int, layer: [Size] = [], head: [Size] = [], update: Double? = nil,
    sum: Double? = nil
  ) {
    (self.factor, self.others, self.layer, self.head) = (factor, others, layer, head)
    (self.update, self.sum) = (update, sum)
  }
}

/// A device that is described, not measured: each layer takes
/// `max(FLOPs / (peak · efficiency), bytes / bandwidth) + overhead` (roofline; Williams, Waterman and
/// Patterson, 2009).
package struct DescribedRate: Encodable, Hashable, Sendable {
  /// The vendor's peak, FLOP/s.
  package var peak: Double
  /// The share of the peak that training reaches, in `0...1`.
  package var efficiency: Double
  /// Memory bandwidth in bytes/s.
  package var memoryBandwidth: Double
  /// Additional seconds of a pass through one layer, whatever its size: kernel launches.
  package var overhead: Double

  package init(peak: Double, efficiency: Double, memoryBandwidth: Double, overhead: Double) {
    (self.peak, self.efficiency, self.memoryBandwidth) = (peak, efficiency, memoryBandwidth)
    self.overhead = overhead
  }
}

/// A link between two devices.
package struct Link: Encodable, Hashable, Sendable {
  /// The device at one end; the sender if the link is directed.
  package var from: String
  /// The device at the other end.
  package var to: String
  /// Whether it serves only `from -> to`; otherwise it serves both directions, each with the full bandwidth.
  package var directed: Bool
  /// Seconds until the first byte arrives.
  package var latency: Double
  /// Bytes/s.
  package var bandwidth: Double
  /// The fit's relative residual, if the link was measured.
  package var residual: Double?

  package init(
    from: String, to: String, directed: Bool = false, latency: Double, bandwidth: Double,
    residual: Double? = nil
  ) {
    (self.from, self.to, self.directed, self.latency) = (from, to, directed, latency)
    (self.bandwidth, self.residual) = (bandwidth, residual)
  }
}

/// A network that connects several devices.
package struct Network: Encodable, Hashable, Sendable {
  /// Its name.
  package var name: String
  /// The names of its devices; empty for all.
  package var devices: [String]
  /// Whether it carries one message at a time (a Wi-Fi channel); otherwise each device has its own port (a
  /// switch).
  package var shared: Bool
  /// Seconds until the first byte arrives.
  package var latency: Double
  /// Bytes/s of the medium, or of a port in each direction.
  package var bandwidth: Double

  package init(
    name: String, devices: [String] = [], shared: Bool, latency: Double, bandwidth: Double
  ) {
    (self.name, self.devices, self.shared, self.latency) = (name, devices, shared, latency)
    self.bandwidth = bandwidth
  }
}

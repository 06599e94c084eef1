import Foundation

/// Devices, the links between them, and where these figures come from.
package struct Cluster: Codable, Hashable, Sendable {
  /// The cluster's name.
  package var name: String
  /// When and where it was measured; `nil` for a described one.
  package var measured: Provenance?
  /// The devices, in the order that plans number them.
  package var devices: [Device]
  /// Links between two devices. They go before the networks.
  package var links: [Link]
  /// Media that join several devices.
  package var networks: [Network]
  /// What starting a job on the devices needs besides their addresses; `nil` for the defaults.
  package var launch: Launch?

  /// Takes the parts as they are; `validate` checks them.
  package init(
    name: String, measured: Provenance? = nil, devices: [Device], links: [Link] = [],
    networks: [Network] = [], launch: Launch? = nil
  ) {
    self.name = name
    self.measured = measured
    self.devices = devices
    self.links = links
    self.networks = networks
    self.launch = launch
  }
}

/// How a job's ranks are started and reach each other.
package struct Launch: Codable, Hashable, Sendable {
  /// The network that messages go over: an interface's name or `ADDRESS/BITS`.
  package var network: String?
  /// The program that starts a command on another host.
  package var remoteShell: String?

  /// Takes the parts.
  package init(network: String? = nil, remoteShell: String? = nil) {
    self.network = network
    self.remoteShell = remoteShell
  }
}

/// When, where and with what something was measured.
package struct Provenance: Codable, Hashable, Sendable {
  /// The time, as ISO 8601.
  package var when: String
  /// The machine or the place.
  package var machine: String
  /// The model whose layers were timed, as `ModelShape.signature`; `nil` where only links were.
  package var model: String?
  /// The settings of the measurement, for people.
  package var settings: String?

  /// Takes the parts.
  package init(when: String, machine: String, model: String? = nil, settings: String? = nil) {
    self.when = when
    self.machine = machine
    self.model = model
    self.settings = settings
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

/// One computer of a cluster.
package struct Device: Codable, Hashable, Sendable {
  /// A name that no other device has.
  package var name: String
  /// Its address, for the launcher.
  package var host: String?
  /// The user that the launcher logs in as.
  package var user: String?
  /// Threads that it computes with; its measured times hold for them. `nil` leaves the choice to the device.
  package var workers: Int?
  /// Devices with the same number are processors of one machine and slow each other, as far as
  /// `MeasuredTimes.contention` says. `nil` for a machine of its own.
  package var machine: Int?
  /// Bytes that training may use.
  package var memory: Int
  /// How long it works.
  package var speed: Speed

  /// Where a device's times come from.
  package enum Speed: Hashable, Sendable {
    /// Timed on the device itself.
    case measured(MeasuredTimes)
    /// Computed from a rate.
    case described(DescribedRate)
  }

  /// Takes the parts.
  package init(
    name: String, host: String? = nil, user: String? = nil, workers: Int? = nil, machine: Int? = nil,
    memory: Int, speed: Speed
  ) {
    self.name = name
    self.host = host
    self.user = user
    self.workers = workers
    self.machine = machine
    self.memory = memory
    self.speed = speed
  }
}

/// Times of one layer (and of the head) for micro-batches of several sizes.
package struct MeasuredTimes: Codable, Hashable, Sendable {
  /// One size.
  package struct Point: Codable, Hashable, Sendable {
    /// Rows of the micro-batch: tokens, for the head labelled tokens.
    package var tokens: Int
    /// Seconds of the forward pass.
    package var forward: Double
    /// Seconds of the backward pass.
    package var backward: Double

    /// Takes the parts.
    package init(tokens: Int, forward: Double, backward: Double) {
      self.tokens = tokens
      self.forward = forward
      self.backward = backward
    }
  }

  /// One transformer layer; at least one point, tokens ascending.
  package var layer: [Point]
  /// Final norm, head and loss; empty where it costs nothing worth counting.
  package var head: [Point]
  /// The token embedding; likewise. Its backward time is not used.
  package var embedding: [Point]
  /// Seconds the optimiser takes for one layer.
  package var updatePerLayer: Double
  /// Seconds of a layer's part in the adding up of replicas' gradients; `nil` where it costs nothing worth counting.
  package var sumPerLayer: SumTimes?
  /// Rank columns of each adapted matrix in `layer`, `updatePerLayer` and `sumPerLayer`, all of which train; `nil`
  /// where these times hold for any number of columns.
  package var rank: Int?
  /// The layer with other numbers of columns; empty where `layer` holds for any number.
  package var columns: [ColumnTimes]
  /// The share of a layer's time that the model's last one saves in rows without a label; `nil` for the share of its
  /// products that come after attention.
  package var lastLayerSaves: Saving?
  /// Whether the device merges frozen columns into its weights where nothing else computes with them.
  package var mergesFrozen: Bool
  /// Bytes of a stored weight where the device was measured, 2 or 4; `nil` for the model shape's.
  package var valueBytes: Int?
  /// How much longer all this takes beside other devices of the machine; `nil` where none were there.
  package var contention: Contention?
  /// When and where; with the model.
  package var measured: Provenance?

  /// Takes the parts.
  package init(
    layer: [Point], head: [Point] = [], embedding: [Point] = [], updatePerLayer: Double = 0,
    sumPerLayer: SumTimes? = nil, rank: Int? = nil, columns: [ColumnTimes] = [],
    lastLayerSaves: Saving? = nil, mergesFrozen: Bool = false,
    valueBytes: Int? = nil, contention: Contention? = nil, measured: Provenance? = nil
  ) {
    self.layer = layer
    self.head = head
    self.embedding = embedding
    self.updatePerLayer = updatePerLayer
    self.sumPerLayer = sumPerLayer
    self.rank = rank
    self.columns = columns
    self.lastLayerSaves = lastLayerSaves
    self.mergesFrozen = mergesFrozen
    self.valueBytes = valueBytes
    self.contention = contention
    self.measured = measured
  }
}

/// Seconds that a device needs for gradients which replicas add up, beside the time on the network.
package struct SumTimes: Codable, Hashable, Sendable {
  /// To copy them into a message, or out of one.
  package var copy: Double
  /// To take them out of a message and add them.
  package var add: Double

  /// Takes the parts.
  package init(copy: Double, add: Double) {
    self.copy = copy
    self.add = add
  }
}

/// A share of time in each direction, in `0...1`.
package struct Saving: Codable, Hashable, Sendable {
  /// Of the forward pass.
  package var forward: Double
  /// Of the backward pass.
  package var backward: Double

  /// Takes the parts.
  package init(forward: Double, backward: Double) {
    self.forward = forward
    self.backward = backward
  }
}

/// Times of one layer with some numbers of rank columns.
package struct ColumnTimes: Codable, Hashable, Sendable {
  /// Columns of each adapted matrix that train.
  package var trained: Int
  /// Columns of each adapted matrix that do not.
  package var frozen: Int
  /// At least one size, tokens ascending.
  package var layer: [MeasuredTimes.Point]

  /// Takes the parts.
  package init(trained: Int, frozen: Int, layer: [MeasuredTimes.Point]) {
    self.trained = trained
    self.frozen = frozen
    self.layer = layer
  }
}

/// How devices of one machine slow each other: how many times as long work takes beside others that compute, at least
/// 1. Work that mostly reads memory is slowed more than work that mostly computes.
package struct Contention: Codable, Hashable, Sendable {
  /// Work of one size.
  package struct Size: Codable, Hashable, Sendable {
    /// Rows of the micro-batch: tokens, for the head labelled tokens.
    package var tokens: Int
    /// How many times as long.
    package var factor: Double

    /// Takes the parts.
    package init(tokens: Int, factor: Double) {
      self.tokens = tokens
      self.factor = factor
    }
  }

  /// Of work that has no factor of its own.
  package var factor: Double
  /// The number of other devices of the machine that compute meanwhile.
  package var others: Int
  /// Of a layer and of the head, tokens ascending.
  package var layer, head: [Size]
  /// Of `updatePerLayer` and of `sumPerLayer`.
  package var update, sum: Double?

  /// Takes the parts.
  package init(
    factor: Double, others: Int, layer: [Size] = [], head: [Size] = [], update: Double? = nil,
    sum: Double? = nil
  ) {
    self.factor = factor
    self.others = others
    self.layer = layer
    self.head = head
    self.update = update
    self.sum = sum
  }
}

/// A device that is only described: `time = max(FLOPs / (peak · efficiency), bytes / bandwidth) + overhead`
/// for each layer (roofline; Williams, Waterman and Patterson, 2009).
package struct DescribedRate: Codable, Hashable, Sendable {
  /// The vendor's peak, FLOP/s.
  package var peak: Double
  /// The share of the peak that training reaches, in `0...1`.
  package var efficiency: Double
  /// Bytes/s from memory.
  package var memoryBandwidth: Double
  /// Seconds that a pass through one layer costs whatever its size: kernel launches.
  package var overhead: Double

  /// Takes the parts.
  package init(peak: Double, efficiency: Double, memoryBandwidth: Double, overhead: Double) {
    self.peak = peak
    self.efficiency = efficiency
    self.memoryBandwidth = memoryBandwidth
    self.overhead = overhead
  }
}

/// A link between two devices.
package struct Link: Codable, Hashable, Sendable {
  /// One end.
  package var from: String
  /// The other end.
  package var to: String
  /// Whether it serves `from -> to` alone; otherwise both directions, each with the whole bandwidth.
  package var directed: Bool
  /// Seconds until the first byte arrives.
  package var latency: Double
  /// Bytes/s.
  package var bandwidth: Double
  /// The fit's relative residual, where it was measured.
  package var residual: Double?

  /// Takes the parts.
  package init(
    from: String, to: String, directed: Bool = false, latency: Double, bandwidth: Double,
    residual: Double? = nil
  ) {
    self.from = from
    self.to = to
    self.directed = directed
    self.latency = latency
    self.bandwidth = bandwidth
    self.residual = residual
  }
}

/// A network that joins several devices.
package struct Network: Codable, Hashable, Sendable {
  /// Its name.
  package var name: String
  /// The devices in it; empty for all.
  package var devices: [String]
  /// Whether one message at a time crosses it (a Wi-Fi channel); otherwise each device has its own port
  /// (a switch).
  package var shared: Bool
  /// Seconds until the first byte arrives.
  package var latency: Double
  /// Bytes/s of the medium, or of a port in each direction.
  package var bandwidth: Double

  /// Takes the parts.
  package init(
    name: String, devices: [String] = [], shared: Bool, latency: Double, bandwidth: Double
  ) {
    self.name = name
    self.devices = devices
    self.shared = shared
    self.latency = latency
    self.bandwidth = bandwidth
  }
}

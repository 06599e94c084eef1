/// Devices and networks that a cluster file can name instead of describing them.
package enum BuiltIn {
  /// The share of the vendor's peak that described devices reach. An assumption: training with small
  /// micro-batches reaches about 0.2 to 0.4 on such modules.
  package static let efficiency = 0.3
  /// The share of a module's memory that training may use; the system and the display use the rest.
  package static let usableMemory = 0.75
  /// Seconds per layer and pass for launching about a dozen kernels.
  package static let overhead = 2e-4

  /// A module's published figures.
  package struct Module: Sendable {
    /// Its name in cluster files.
    package let kind: String
    /// Dense FP16 peak of the GPU, FLOP/s: streaming multiprocessors × clock × FLOP per cycle.
    package let peak: Double
    /// Memory bandwidth in bytes/s.
    package let memoryBandwidth: Double
    /// Bytes of memory.
    package let memory: Int
  }

  /// From NVIDIA's data sheets. An Ampere multiprocessor does 2048 dense FP16 FLOP per cycle on its tensor
  /// cores, a Volta one 1024.
  package static let modules: [Module] = [
    // 16 multiprocessors at 1.3 GHz; 64 GB at 204.8 GB/s.
    Module(kind: "agx-orin", peak: 16 * 1.3e9 * 2048, memoryBandwidth: 204.8e9, memory: 64 << 30),
    // 8 at 0.918 GHz; 16 GB at 102.4 GB/s.
    Module(kind: "orin-nx", peak: 8 * 0.918e9 * 2048, memoryBandwidth: 102.4e9, memory: 16 << 30),
    // 8 at 0.625 GHz; 8 GB at 68 GB/s.
    Module(kind: "orin-nano", peak: 8 * 0.625e9 * 2048, memoryBandwidth: 68e9, memory: 8 << 30),
    // 6 at 1.1 GHz; 8 GB at 59.7 GB/s.
    Module(kind: "xavier-nx", peak: 6 * 1.1e9 * 1024, memoryBandwidth: 59.7e9, memory: 8 << 30),
  ]

  /// A network that cluster files can name.
  package struct Medium: Sendable {
    /// Its name in cluster files.
    package let kind: String
    /// Whether it carries one message at a time.
    package let shared: Bool
    /// Latency in seconds.
    package let latency: Double
    /// Bytes/s that TCP delivers.
    package let bandwidth: Double
  }

  /// Typical rates over TCP, not those of one product: 802.11ac and 802.11ax with two streams and 80 MHz in
  /// one room; a mid-band 5G uplink; a switched gigabit network.
  package static let media: [Medium] = [
    Medium(kind: "wifi5", shared: true, latency: 3e-3, bandwidth: 50e6),
    Medium(kind: "wifi6", shared: true, latency: 2e-3, bandwidth: 87.5e6),
    Medium(kind: "5g", shared: false, latency: 12e-3, bandwidth: 7.5e6),
    Medium(kind: "ethernet", shared: false, latency: 2e-4, bandwidth: 117.5e6),
  ]

  /// A described device of a module's kind; `nil` if the kind is unknown.
  package static func device(_ name: String, kind: String) -> Device? {
    guard let module = modules.first(where: { $0.kind == kind }) else { return nil }
    return Device(
      name: name, memory: Int(Double(module.memory) * usableMemory),
      speed: .described(
        DescribedRate(
          peak: module.peak, efficiency: efficiency, memoryBandwidth: module.memoryBandwidth,
          overhead: overhead)))
  }

  /// A network of a kind that connects all devices; `nil` if the kind is unknown.
  package static func network(_ kind: String) -> Network? {
    media.first { $0.kind == kind }.map {
      Network(name: kind, shared: $0.shared, latency: $0.latency, bandwidth: $0.bandwidth)
    }
  }
}

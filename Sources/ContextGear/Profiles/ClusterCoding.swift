import InputErrors

extension Cluster {
  enum CodingKeys: String, CodingKey, CaseIterable { case name, measured, devices, links, networks, launch }

  /// Rejects unknown fields. An entry with `count` becomes that many devices.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    name = try fields.decodeIfPresent(String.self, forKey: .name) ?? "cluster"
    measured = try fields.decodeIfPresent(Provenance.self, forKey: .measured)
    let entries = try fields.decode([DeviceEntry].self, forKey: .devices)
    // Checked before copies are made: a short file can ask for more devices than memory holds.
    try Self.check(deviceCount: entries.reduce(0) { $0 + ($1.count ?? 1) })
    devices = entries.flatMap(\.devices)
    links = try fields.decodeIfPresent([Link].self, forKey: .links) ?? []
    networks = try fields.decodeIfPresent([Network].self, forKey: .networks) ?? []
    launch = try fields.decodeIfPresent(Launch.self, forKey: .launch)
    try validate()
  }

  /// The maximum number of devices in a file.
  package static let maximumDevices = 100_000

  private static func check(deviceCount count: Int) throws(Refusal) {
    guard (1...maximumDevices).contains(count) else {
      throw Refusal("devices", "there are \(count)", "give between 1 and \(maximumDevices) devices")
    }
  }

  /// Checks the names of devices and the ends of links.
  ///
  /// - Throws: `Refusal` if a name is duplicated or a link names no device.
  package func validate() throws(Refusal) {
    try Self.check(deviceCount: devices.count)
    var names: Set<String> = []
    for (index, device) in devices.enumerated() where !names.insert(device.name).inserted {
      throw Refusal(
        "devices.\(index).name", "the name '\(device.name)' is duplicated", "give each device its own")
    }
    func check(_ name: String, _ place: String) throws(Refusal) {
      guard names.contains(name) else {
        throw Refusal(place, "there is no device '\(name)'", "name one of the devices")
      }
    }
    for (index, link) in links.enumerated() {
      try check(link.from, "links.\(index).from")
      try check(link.to, "links.\(index).to")
      guard link.from != link.to else {
        throw Refusal("links.\(index)", "joins '\(link.from)' with itself", "name two devices")
      }
    }
    for (index, network) in networks.enumerated() {
      for name in network.devices { try check(name, "networks.\(index).devices") }
    }
  }
}

/// A device of a cluster file, or several identical ones.
private struct DeviceEntry: Decodable {
  private var device: Device
  /// The number of copies, each a device of its own; `nil` for the device itself.
  var count: Int?

  var devices: [Device] {
    guard let count else { return [device] }
    return (1...count).map { number in
      var copy = device
      copy.name = "\(device.name)-\(number)"
      return copy
    }
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case name, host, user, workers, machine, kind, count, memory, measured, described
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    let kind = try fields.decodeIfPresent(String.self, forKey: .kind)
    let name = try fields.decodeIfPresent(String.self, forKey: .name) ?? kind
    func refusal(_ key: CodingKeys?, _ problem: String, _ remedy: String) -> Refusal {
      decoder.refusal(decoder.codingPath + (key.map { [$0] } ?? []), problem, remedy)
    }
    guard let name, !name.isEmpty else { throw refusal(.name, "is missing", "give the device a name") }
    var device = kind.flatMap { BuiltIn.device(name, kind: $0) }
    if let kind, device == nil {
      let known = BuiltIn.modules.map(\.kind).joined(separator: ", ")
      throw refusal(.kind, "'\(kind)' is not known", "use one of \(known), or describe the device")
    }
    let memory = try fields.decodeIfPresent(Int.self, forKey: .memory) ?? device?.memory
    guard let memory, memory > 0 else {
      throw refusal(
        .memory, memory.map { "\($0) is not valid" } ?? "is missing", "give the bytes for training")
    }
    if let times = try fields.decodeIfPresent(MeasuredTimes.self, forKey: .measured) {
      device = Device(name: name, memory: memory, speed: .measured(times))
    } else if let rate = try fields.decodeIfPresent(DescribedRate.self, forKey: .described) {
      device = Device(name: name, memory: memory, speed: .described(rate))
    }
    guard var device else {
      throw refusal(nil, "does not specify its speed", "give one of kind, measured, described")
    }
    device.memory = memory
    device.host = try fields.decodeIfPresent(String.self, forKey: .host)
    device.user = try fields.decodeIfPresent(String.self, forKey: .user)
    device.workers = try fields.decodeIfPresent(Int.self, forKey: .workers)
    if let workers = device.workers, !(1...1024).contains(workers) {
      throw refusal(.workers, "\(workers) is outside 1...1024", "use a number in that range")
    }
    device.machine = try fields.decodeIfPresent(Int.self, forKey: .machine)
    count = try fields.decodeIfPresent(Int.self, forKey: .count)
    self.device = device
    if let count, !(1...Cluster.maximumDevices).contains(count) {
      throw refusal(.count, "\(count) is outside 1...\(Cluster.maximumDevices)", "use a number in that range")
    }
  }
}

extension Device {
  private enum CodingKeys: String, CodingKey {
    case name, host, user, workers, machine, memory, measured, described
  }

  /// Refuses an entry that is several devices.
  package init(from decoder: any Decoder) throws {
    let entry = try DeviceEntry(from: decoder)
    guard entry.devices.count == 1 else {
      throw decoder.refusal(decoder.codingPath, "describes several devices", "leave count out")
    }
    self = entry.devices[0]
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(name, forKey: .name)
    try fields.encodeIfPresent(host, forKey: .host)
    try fields.encodeIfPresent(user, forKey: .user)
    try fields.encodeIfPresent(workers, forKey: .workers)
    try fields.encodeIfPresent(machine, forKey: .machine)
    try fields.encode(memory, forKey: .memory)
    switch speed {
    case .measured(let times): try fields.encode(times, forKey: .measured)
    case .described(let rate): try fields.encode(rate, forKey: .described)
    }
  }
}

extension Launch {
  enum CodingKeys: String, CodingKey, CaseIterable { case network, remoteShell }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    network = try fields.decodeIfPresent(String.self, forKey: .network)
    remoteShell = try fields.decodeIfPresent(String.self, forKey: .remoteShell)
  }
}

extension Provenance {
  enum CodingKeys: String, CodingKey, CaseIterable { case when, machine, model, settings }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    when = try fields.decode(String.self, forKey: .when)
    machine = try fields.decode(String.self, forKey: .machine)
    model = try fields.decodeIfPresent(String.self, forKey: .model)
    settings = try fields.decodeIfPresent(String.self, forKey: .settings)
  }
}

extension MeasuredTimes {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case layer, head, embedding, updatePerLayer, sumPerLayer, rank, columns, lastLayerSaves, mergesFrozen
    case valueBytes, contention, measured
  }

  /// Rejects unknown fields; points must ascend by tokens.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    layer = try fields.decode([Point].self, forKey: .layer)
    head = try fields.decodeIfPresent([Point].self, forKey: .head) ?? []
    embedding = try fields.decodeIfPresent([Point].self, forKey: .embedding) ?? []
    updatePerLayer =
      fields.contains(.updatePerLayer) ? try fields.positive(.updatePerLayer, orZero: true) : 0
    sumPerLayer = try fields.decodeIfPresent(SumTimes.self, forKey: .sumPerLayer)
    rank = try fields.decodeIfPresent(Int.self, forKey: .rank)
    if let rank, !(1...4096).contains(rank) {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.rank], "\(rank) is outside 1...4096", "use a number in that range")
    }
    columns = try fields.decodeIfPresent([ColumnTimes].self, forKey: .columns) ?? []
    guard rank != nil || columns.isEmpty else {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.columns], "there is no rank to compare them with",
        "give the rank columns of layer as rank")
    }
    lastLayerSaves = try fields.decodeIfPresent(Saving.self, forKey: .lastLayerSaves)
    mergesFrozen = try fields.decodeIfPresent(Bool.self, forKey: .mergesFrozen) ?? false
    valueBytes = try fields.decodeIfPresent(Int.self, forKey: .valueBytes)
    if let valueBytes, valueBytes != 2, valueBytes != 4 {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.valueBytes], "\(valueBytes) is not valid",
        "give 2 for bfloat16 or 4 for float32")
    }
    contention = try fields.decodeIfPresent(Contention.self, forKey: .contention)
    measured = try fields.decodeIfPresent(Provenance.self, forKey: .measured)
    guard !layer.isEmpty else {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.layer], "has no times", "measure at least one micro-batch size")
    }
    if let free = layer.first(where: { $0.forward == 0 }) {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.layer], "\(free.tokens) tokens take no time",
        "give seconds above 0")
    }
    for (key, points) in [(CodingKeys.layer, layer), (.head, head), (.embedding, embedding)]
    where !points.ascend {
      throw decoder.refusal(
        decoder.codingPath + [key], "the sizes are not in ascending order", "sort the points by tokens")
    }
  }

  /// Leaves out fields with default values.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(layer, forKey: .layer)
    try fields.encode(head, forKey: .head)
    try fields.encode(embedding, forKey: .embedding)
    try fields.encode(updatePerLayer, forKey: .updatePerLayer)
    try fields.encodeIfPresent(sumPerLayer, forKey: .sumPerLayer)
    try fields.encodeIfPresent(rank, forKey: .rank)
    if !columns.isEmpty { try fields.encode(columns, forKey: .columns) }
    try fields.encodeIfPresent(lastLayerSaves, forKey: .lastLayerSaves)
    if mergesFrozen { try fields.encode(true, forKey: .mergesFrozen) }
    try fields.encodeIfPresent(valueBytes, forKey: .valueBytes)
    try fields.encodeIfPresent(contention, forKey: .contention)
    try fields.encodeIfPresent(measured, forKey: .measured)
  }
}

extension [MeasuredTimes.Point] {
  fileprivate var ascend: Bool { zip(self, dropFirst()).allSatisfy { $0.tokens < $1.tokens } }
}

extension SumTimes {
  enum CodingKeys: String, CodingKey, CaseIterable { case copy, add }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    copy = try fields.positive(.copy, orZero: true)
    add = try fields.positive(.add, orZero: true)
  }
}

extension Saving {
  enum CodingKeys: String, CodingKey, CaseIterable { case forward, backward }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    forward = try fields.positive(.forward, orZero: true)
    backward = try fields.positive(.backward, orZero: true)
    for (key, share) in [(CodingKeys.forward, forward), (.backward, backward)] where share > 1 {
      throw decoder.refusal(decoder.codingPath + [key], "\(share) is above 1", "give a share of the time")
    }
  }
}

extension ColumnTimes {
  enum CodingKeys: String, CodingKey, CaseIterable { case trained, frozen, layer }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    trained = try fields.decodeIfPresent(Int.self, forKey: .trained) ?? 0
    frozen = try fields.decodeIfPresent(Int.self, forKey: .frozen) ?? 0
    layer = try fields.decode([MeasuredTimes.Point].self, forKey: .layer)
    for (key, count) in [(CodingKeys.trained, trained), (.frozen, frozen)] where !(0...4096).contains(count) {
      throw decoder.refusal(
        decoder.codingPath + [key], "\(count) is outside 0...4096", "use a number in that range")
    }
    guard !layer.isEmpty, layer.ascend else {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.layer],
        layer.isEmpty ? "has no times" : "the sizes are not in ascending order",
        "give points sorted by tokens")
    }
  }
}

extension Contention {
  enum CodingKeys: String, CodingKey, CaseIterable { case factor, others, layer, head, update, sum }

  /// Rejects unknown fields; sizes must ascend by tokens.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    factor = try decoder.slowdown(fields, .factor)
    others = try fields.decode(Int.self, forKey: .others)
    layer = try fields.decodeIfPresent([Size].self, forKey: .layer) ?? []
    head = try fields.decodeIfPresent([Size].self, forKey: .head) ?? []
    update = fields.contains(.update) ? try decoder.slowdown(fields, .update) : nil
    sum = fields.contains(.sum) ? try decoder.slowdown(fields, .sum) : nil
    for (key, sizes) in [(CodingKeys.layer, layer), (.head, head)]
    where !zip(sizes, sizes.dropFirst()).allSatisfy({ $0.tokens < $1.tokens }) {
      throw decoder.refusal(
        decoder.codingPath + [key], "the sizes are not in ascending order", "sort the sizes by tokens")
    }
    guard others >= 1 else {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.others], "\(others) is not valid",
        "give at least 1, or leave contention out")
    }
  }
}

extension Contention.Size {
  enum CodingKeys: String, CodingKey, CaseIterable { case tokens, factor }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    tokens = try fields.decode(Int.self, forKey: .tokens)
    guard tokens > 0 else {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.tokens], "\(tokens) is not valid", "give at least 1")
    }
    factor = try decoder.slowdown(fields, .factor)
  }
}

extension Decoder {
  /// A slowdown factor, at least 1.
  fileprivate func slowdown<Key: CodingKey>(
    _ fields: KeyedDecodingContainer<Key>, _ key: Key
  ) throws -> Double {
    let factor = try fields.positive(key)
    guard factor >= 1 else {
      throw refusal(
        codingPath + [key], "\(factor) is below 1", "give the factor by which it takes longer beside others")
    }
    return factor
  }
}

extension MeasuredTimes.Point {
  enum CodingKeys: String, CodingKey, CaseIterable { case tokens, forward, backward }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    tokens = try fields.decode(Int.self, forKey: .tokens)
    guard tokens > 0 else {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.tokens], "\(tokens) is not valid", "give at least 1")
    }
    forward = try fields.positive(.forward, orZero: true)
    backward = fields.contains(.backward) ? try fields.positive(.backward, orZero: true) : 0
  }
}

extension DescribedRate {
  enum CodingKeys: String, CodingKey, CaseIterable { case peak, efficiency, memoryBandwidth, overhead }

  /// Rejects unknown fields; only `peak` has no default.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    peak = try fields.positive(.peak)
    efficiency = fields.contains(.efficiency) ? try fields.positive(.efficiency) : BuiltIn.efficiency
    guard efficiency <= 1 else {
      throw decoder.refusal(
        decoder.codingPath + [CodingKeys.efficiency], "\(efficiency) is above 1", "give a share of the peak")
    }
    memoryBandwidth = fields.contains(.memoryBandwidth) ? try fields.positive(.memoryBandwidth) : 1e11
    overhead = fields.contains(.overhead) ? try fields.positive(.overhead, orZero: true) : BuiltIn.overhead
  }
}

extension Link {
  enum CodingKeys: String, CodingKey, CaseIterable { case from, to, directed, latency, bandwidth, residual }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    from = try fields.decode(String.self, forKey: .from)
    to = try fields.decode(String.self, forKey: .to)
    directed = try fields.decodeIfPresent(Bool.self, forKey: .directed) ?? false
    latency = try fields.positive(.latency, orZero: true)
    bandwidth = try fields.positive(.bandwidth)
    residual = fields.contains(.residual) ? try fields.positive(.residual, orZero: true) : nil
  }
}

extension Network {
  enum CodingKeys: String, CodingKey, CaseIterable { case name, kind, devices, shared, latency, bandwidth }

  /// Rejects unknown fields; missing ones come from `kind`.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.fields(CodingKeys.self)
    let kind = try fields.decodeIfPresent(String.self, forKey: .kind)
    let base = kind.flatMap { BuiltIn.network($0) }
    func refusal(_ key: CodingKeys, _ problem: String, _ remedy: String) -> Refusal {
      decoder.refusal(decoder.codingPath + [key], problem, remedy)
    }
    if let kind, base == nil {
      let known = BuiltIn.media.map(\.kind).joined(separator: ", ")
      throw refusal(.kind, "'\(kind)' is not known", "use one of \(known), or give latency and bandwidth")
    }
    name = try fields.decodeIfPresent(String.self, forKey: .name) ?? kind ?? "network"
    devices = try fields.decodeIfPresent([String].self, forKey: .devices) ?? []
    shared = try fields.decodeIfPresent(Bool.self, forKey: .shared) ?? base?.shared ?? false
    let latency =
      fields.contains(.latency) ? try fields.positive(.latency, orZero: true) : base?.latency
    let bandwidth = fields.contains(.bandwidth) ? try fields.positive(.bandwidth) : base?.bandwidth
    guard let latency else { throw refusal(.latency, "is missing", "give seconds, or a kind") }
    guard let bandwidth else { throw refusal(.bandwidth, "is missing", "give bytes/s, or a kind") }
    self.latency = latency
    self.bandwidth = bandwidth
  }

  /// Writes all figures, also those that came from `kind`.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(name, forKey: .name)
    if !devices.isEmpty { try fields.encode(devices, forKey: .devices) }
    try fields.encode(shared, forKey: .shared)
    try fields.encode(latency, forKey: .latency)
    try fields.encode(bandwidth, forKey: .bandwidth)
  }
}

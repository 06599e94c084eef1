import StrictYAML

extension Cluster: StrictlyDecodable {
  /// The maximum number of devices in a file.
  package static let maximumDevices = 100_000

  /// Reads a cluster. An entry with `count` becomes that many devices.
  package init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(
      field, known: ["name", "measured", "devices", "links", "networks", "launch"])
    name = try fields["name"]?.anyText("give the cluster a name") ?? "cluster"
    measured = try fields["measured"].map(Provenance.init(_:))
    launch = try fields["launch"].map(Launch.init(_:))
    let example = "[{kind: orin-nano, count: 4}]"
    let list = try fields.required("devices", "write a list, as in \(example)")
    var entries: [(fields: StrictFields, device: Device, count: Int?)] = []
    for item in try list.list(example) {
      let fields = try StrictFields(item, known: Device.fields)
      let count = try fields["count"]?.integer(1...Self.maximumDevices)
      entries.append((fields, try Device(item, fields), count))
    }
    // Checked before copies are made: a short file can ask for more devices than memory holds.
    let total = entries.reduce(0) { $0 + ($1.count ?? 1) }
    guard (1...Self.maximumDevices).contains(total) else {
      throw list.error("there are \(total)", "give between 1 and \(Self.maximumDevices) devices")
    }
    var names: Set<String> = []
    devices = []
    for (fields, device, count) in entries {
      for number in 1...(count ?? 1) {
        var copy = device
        if count != nil { copy.name += "-\(number)" }
        guard names.insert(copy.name).inserted else {
          throw fields.error("name", "the name '\(copy.name)' is duplicated", "give each device its own")
        }
        devices.append(copy)
      }
    }
    (links, networks) = ([], [])
    for field in try fields["links"]?.list("[{from: a, to: b, latency: 0.001, bandwidth: 1.0e8}]") ?? [] {
      links.append(try Link(field, names))
    }
    for field in try fields["networks"]?.list("[{kind: ethernet}]") ?? [] {
      networks.append(try Network(field, names))
    }
  }
}

extension Device {
  fileprivate static let fields = [
    "name", "host", "user", "workers", "machine", "kind", "count", "memory", "measured", "described",
  ]

  fileprivate init(_ field: Field, _ fields: StrictFields) throws(FieldError) {
    let kind = try fields["kind"]?.anyText("name the kind of device")
    let remedy = "give the device a name"
    let given = try fields["name"]?.text(remedy) ?? kind
    guard let given else { throw fields.error("name", "is missing", remedy) }
    name = given
    let base = kind.flatMap { BuiltIn.device("", kind: $0) }
    if let kind, base == nil {
      let known = BuiltIn.modules.map(\.kind).joined(separator: ", ")
      throw fields.error("kind", "'\(kind)' is not known", "use one of \(known), or describe the device")
    }
    let bytes = try fields["memory"]?.integer(1...1 << 60) ?? base?.memory
    guard let bytes else { throw fields.error("memory", "is missing", "give the bytes for training") }
    memory = bytes
    if let measured = fields["measured"] {
      speed = .measured(try MeasuredTimes(measured))
    } else if let described = fields["described"] {
      speed = .described(try DescribedRate(described))
    } else if let base {
      speed = base.speed
    } else {
      throw field.error("does not specify its speed", "give one of kind, measured, described")
    }
    host = try fields["host"]?.anyText("give the device's address")
    user = try fields["user"]?.anyText("give the user to log in as")
    workers = try fields["workers"]?.integer(1...1024)
    machine = try fields["machine"]?.integer(0...Cluster.maximumDevices)
  }

  private enum CodingKeys: String, CodingKey {
    case name, host, user, workers, machine, memory, measured, described
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
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["network", "remoteShell"])
    network = try fields["network"]?.anyText("give an interface's name, or a network as in 10.0.0.0/24")
    remoteShell = try fields["remoteShell"]?.anyText("name the program that starts a command on a host")
  }
}

extension Provenance {
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["when", "machine", "model", "settings"])
    when = try fields.text("when", "give the time of the measurement")
    machine = try fields.text("machine", "name the machine or the location")
    model = try fields["model"]?.anyText("give the model's sizes, as in 30x576x1536x49152")
    settings = try fields["settings"]?.anyText("give the settings as text")
  }
}

extension MeasuredTimes: StrictlyDecodable {
  /// Reads a device's times; sizes must ascend by tokens.
  package init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(
      field,
      known: [
        "layer", "head", "embedding", "updatePerLayer", "sumPerLayer", "rank", "columns", "lastLayerSaves",
        "mergesFrozen", "valueBytes", "contention", "measured",
      ])
    layer = try fields.layerTimes()
    if let free = layer.first(where: { $0.forward == 0 }) {
      throw fields.error("layer", "\(free.tokens) tokens take no time", "give seconds above 0")
    }
    head = try fields["head"]?.times() ?? []
    embedding = try fields["embedding"]?.times() ?? []
    updatePerLayer = try fields["updatePerLayer"]?.seconds() ?? 0
    sumPerLayer = try fields["sumPerLayer"].map(SumTimes.init(_:))
    rank = try fields["rank"]?.integer(1...4096)
    let example = "[{frozen: 48, layer: [{tokens: 64, forward: 0.005}]}]"
    columns = try fields["columns"]?.list(example).map(ColumnTimes.init(_:)) ?? []
    guard rank != nil || columns.isEmpty else {
      throw fields.error(
        "columns", "there is no rank to compare them with", "give the rank columns of layer as rank")
    }
    lastLayerSaves = try fields["lastLayerSaves"].map(Saving.init(_:))
    mergesFrozen = try fields["mergesFrozen"]?.boolean() ?? false
    valueBytes = try fields["valueBytes"]?.integer(2...4)
    guard valueBytes != 3 else {
      throw fields.error("valueBytes", "3 is not valid", "give 2 for bfloat16 or 4 for float32")
    }
    contention = try fields["contention"].map(Contention.init(_:))
    measured = try fields["measured"].map(Provenance.init(_:))
  }
}

extension MeasuredTimes.Point {
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["tokens", "forward", "backward"])
    tokens = try fields.tokens()
    forward = try fields.seconds("forward")
    backward = try fields["backward"]?.seconds() ?? 0
  }
}

extension SumTimes {
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["copy", "add"])
    (copy, add) = (try fields.seconds("copy"), try fields.seconds("add"))
  }
}

extension Saving {
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["forward", "backward"])
    let remedy = "give a share of the time"
    forward = try fields.required("forward", remedy).share(remedy)
    backward = try fields.required("backward", remedy).share(remedy)
  }
}

extension ColumnTimes {
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["trained", "frozen", "layer"])
    trained = try fields["trained"]?.integer(0...4096) ?? 0
    frozen = try fields["frozen"]?.integer(0...4096) ?? 0
    layer = try fields.layerTimes()
  }
}

extension Contention {
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["factor", "others", "layer", "head", "update", "sum"])
    factor = try fields.required("factor", Field.slowdown).slowdown()
    others = try fields.required("others", "give the number of other devices, or leave contention out")
      .integer(1...Cluster.maximumDevices)
    layer = try fields["layer"]?.ascending(Size.init(_:), \.tokens) ?? []
    head = try fields["head"]?.ascending(Size.init(_:), \.tokens) ?? []
    update = try fields["update"]?.slowdown()
    sum = try fields["sum"]?.slowdown()
  }
}

extension Contention.Size {
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["tokens", "factor"])
    tokens = try fields.tokens()
    factor = try fields.required("factor", Field.slowdown).slowdown()
  }
}

extension DescribedRate {
  /// Only `peak` has no default.
  fileprivate init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(field, known: ["peak", "efficiency", "memoryBandwidth", "overhead"])
    peak = try fields.required("peak", "give FLOP/s").rate()
    efficiency =
      try fields["efficiency"]?.number("outside 1e-6...1", "give a share of the peak") {
        (1e-6...1).contains($0)
      } ?? BuiltIn.efficiency
    memoryBandwidth = try fields["memoryBandwidth"]?.rate() ?? 1e11
    overhead = try fields["overhead"]?.seconds() ?? BuiltIn.overhead
  }
}

extension Link {
  fileprivate init(_ field: Field, _ names: Set<String>) throws(FieldError) {
    let fields = try StrictFields(
      field, known: ["from", "to", "directed", "latency", "bandwidth", "residual"])
    from = try fields.required("from", Field.deviceRemedy).device(names)
    to = try fields.required("to", Field.deviceRemedy).device(names)
    guard from != to else { throw field.error("joins '\(from)' with itself", "name two devices") }
    directed = try fields["directed"]?.boolean() ?? false
    latency = try fields.seconds("latency")
    bandwidth = try fields.required("bandwidth", "give bytes/s").rate()
    residual = try fields["residual"]?.number("below 0", "give the relative residual of the fit") { $0 >= 0 }
  }
}

extension Network {
  /// Missing fields come from `kind`.
  fileprivate init(_ field: Field, _ names: Set<String>) throws(FieldError) {
    let fields = try StrictFields(
      field, known: ["name", "kind", "devices", "shared", "latency", "bandwidth"])
    let kind = try fields["kind"]?.anyText("name the kind of network")
    let base = kind.flatMap(BuiltIn.network)
    if let kind, base == nil {
      let known = BuiltIn.media.map(\.kind).joined(separator: ", ")
      throw fields.error(
        "kind", "'\(kind)' is not known", "use one of \(known), or give latency and bandwidth")
    }
    name = try fields["name"]?.anyText("give the network a name") ?? kind ?? "network"
    devices = []
    for field in try fields["devices"]?.list("[a, b]") ?? [] { devices.append(try field.device(names)) }
    shared = try fields["shared"]?.boolean() ?? base?.shared ?? false
    let (latency, bandwidth) = (
      try fields["latency"]?.seconds() ?? base?.latency, try fields["bandwidth"]?.rate() ?? base?.bandwidth
    )
    guard let latency else { throw fields.error("latency", "is missing", "give seconds, or a kind") }
    guard let bandwidth else { throw fields.error("bandwidth", "is missing", "give bytes/s, or a kind") }
    (self.latency, self.bandwidth) = (latency, bandwidth)
  }
}

extension StrictFields {
  fileprivate func text(_ key: String, _ remedy: String) throws(FieldError) -> String {
    try required(key, remedy).anyText(remedy)
  }

  fileprivate func seconds(_ key: String) throws(FieldError) -> Double {
    try required(key, "give seconds").seconds()
  }

  fileprivate func tokens() throws(FieldError) -> Int {
    try required("tokens", "give the rows of the micro-batch").integer(1...1 << 40)
  }

  /// A layer's times for at least one size.
  fileprivate func layerTimes() throws(FieldError) -> [MeasuredTimes.Point] {
    let remedy = "measure at least one micro-batch size"
    let points = try required("layer", remedy).times()
    guard !points.isEmpty else { throw error("layer", "has no times", remedy) }
    return points
  }
}

/// Within the limits of these numbers, sums and products of times stay finite.
extension Field {
  fileprivate static let slowdown = "give the factor by which it takes longer beside others"

  fileprivate func slowdown() throws(FieldError) -> Double {
    try number("outside 1...1e6", Self.slowdown) { (1...1e6).contains($0) }
  }

  fileprivate static let deviceRemedy = "name one of the devices"

  fileprivate func device(_ names: Set<String>) throws(FieldError) -> String {
    let name = try anyText(Self.deviceRemedy)
    guard names.contains(name) else { throw error("there is no device '\(name)'", Self.deviceRemedy) }
    return name
  }

  fileprivate func seconds() throws(FieldError) -> Double {
    try number("outside 0...1e9", "give seconds") { (0...1e9).contains($0) }
  }

  fileprivate func rate() throws(FieldError) -> Double {
    try number("outside 1e-3...1e30", "give a rate per second") { (1e-3...1e30).contains($0) }
  }

  fileprivate func times() throws(FieldError) -> [MeasuredTimes.Point] {
    try ascending(MeasuredTimes.Point.init(_:), \.tokens)
  }

  /// A list whose entries must ascend.
  fileprivate func ascending<Entry>(
    _ read: (Field) throws(FieldError) -> Entry, _ size: (Entry) -> Int
  ) throws(FieldError) -> [Entry] {
    let entries = try list("[{tokens: 64, forward: 0.004}]").map(read)
    guard zip(entries, entries.dropFirst()).allSatisfy({ size($0) < size($1) }) else {
      throw error("the sizes are not in ascending order", "sort them by tokens")
    }
    return entries
  }
}

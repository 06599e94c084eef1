import ContextGear
import Foundation
import StrictYAML
import TestSupport
import Testing

@Suite("Cluster files") struct ClusterFileTests {
  static let whole = """
    name: lab
    measured: {when: "2026-01-02T03:04:05Z", machine: lab, model: 2x10x10x10}
    devices:
      - name: a
        host: 10.0.0.1
        user: ubuntu
        workers: 4
        machine: 3
        memory: 4000000000
        measured: {layer: [{tokens: 16, forward: 0.1, backward: 0.2}], valueBytes: 4, rank: 4, columns: [{trained: 4, frozen: 12, layer: [{tokens: 16, forward: 0.2, backward: 0.4}]}], lastLayerSaves: {forward: 0.7, backward: 0.6}, mergesFrozen: true, sumPerLayer: {copy: 0.01, add: 0.02}, contention: {factor: 1.5, others: 2, layer: [{tokens: 16, factor: 1.6}], head: [{tokens: 4, factor: 2}, {tokens: 8, factor: 1.2}], update: 1.7, sum: 1.2}}
      - {kind: orin-nx, count: 2}
      - {name: c, memory: 1000, described: {peak: 1.0e12}}
    links:
      - {from: a, to: c, directed: true, latency: 0.001, bandwidth: 1.0e6, residual: 0.02}
    networks:
      - {kind: wifi6, devices: [a, orin-nx-1, orin-nx-2]}
      - {name: rest, latency: 0, bandwidth: 1.0e7}
    launch: {network: 10.0.0.0/24, remoteShell: ssh}
    """

  @Test func readsAndWritesTheSame() throws {
    let cluster = try Cluster(yaml: Self.whole, file: "c.yaml")
    #expect(cluster.devices.map(\.name) == ["a", "orin-nx-1", "orin-nx-2", "c"])
    #expect(cluster.devices[0].user == "ubuntu" && cluster.devices[0].workers == 4)
    #expect(cluster.devices[0].machine == 3)
    #expect(cluster.launch == Launch(network: "10.0.0.0/24", remoteShell: "ssh"))
    #expect(cluster.networks[0].shared && cluster.networks[0].bandwidth == 87.5e6)
    #expect(try Cluster(yaml: cluster.yaml(), file: "again.yaml") == cluster)
  }

  @Test func aByteOrderMarkIsSkipped() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("c.yaml").path
      try ("\u{FEFF}" + Self.whole).write(toFile: path, atomically: true, encoding: .utf8)
      #expect(try Cluster(contentsOf: path) == Cluster(yaml: Self.whole, file: "c.yaml"))
    }
  }

  @Test func smallNumbersAreWrittenShort() throws {
    var cluster = try Cluster(yaml: Self.whole, file: "c.yaml")
    cluster.links[0].latency = 2.802e-05
    let text = try cluster.yaml()
    #expect(text.contains("latency: 2.802e-05\n"), "\(text)")
    #expect(try Cluster(yaml: text, file: "again.yaml") == cluster)
  }

  @Test(arguments: [
    (-5.0, " (in the future)"), (59.0, " (just now)"), (60.0, " (1 minute ago)"), (7300.0, " (2 hours ago)"),
    (259_200.0, " (3 days ago)"),
  ]) func theAgeOfAMeasurement(seconds: Double, expected: String) throws {
    let measured = Provenance(when: "2026-01-02T03:04:05Z", machine: "lab")
    let now = try Date(measured.when, strategy: .iso8601).addingTimeInterval(seconds)
    #expect(measured.text(now: now) == "measured 2026-01-02T03:04:05Z\(expected) on lab")
    #expect(Provenance(when: "once", machine: "lab").text(now: now) == "measured once on lab")
  }

  @Test func manyDevices() throws {
    let text = "devices: [{kind: orin-nano, count: 250}]\nnetworks: [{kind: ethernet}]"
    #expect(try Cluster(yaml: text, file: "c.yaml").devices.count == 250)
  }

  /// Invalid files, and what the message must name.
  static let wrong: [(String, String)] = [
    ("devices: [", "c.yaml"),
    ("name: x", "devices"),
    ("devices: []", "devices"),
    ("devices: [{kind: orin}]", "devices.0.kind"),
    ("devices: [{name: a}]", "devices.0.memory"),
    ("devices: [{name: a, memory: 5}]", "devices.0"),
    ("devices: [{name: a, memory: 0, described: {peak: 1}}]", "devices.0.memory"),
    ("devices: [{name: a, memory: x, described: {peak: 1}}]", "devices.0.memory"),
    ("devices: [{name: a, memory: 5, described: {peak: -1}}]", "devices.0.described.peak"),
    ("devices: [{name: a, memory: 5, described: {peak: .nan}}]", "devices.0.described.peak"),
    ("devices: [{name: a, memory: 5, described: {peak: 1, efficiency: 2}}]", "described.efficiency"),
    ("devices: [{name: a, memory: 5, measured: {layer: []}}]", "devices.0.measured.layer"),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 0}]}}]",
      "devices.0.measured.layer"
    ),
    (
      "devices: [{kind: orin-nano, count: 2}]\nlinks: [{from: orin-nano-1, to: orin-nano-2, latency: 0, "
        + "bandwidth: 1, residual: .inf}]", "links.0.residual"
    ),
    // Thousands of such lines would take all memory if copies were made first.
    (
      "devices:\n"
        + (0..<3).map { "  - {name: a\($0), kind: orin-nano, count: 100000}\n" }.joined(), "devices"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], contention: {factor: 0.5, others: 1}}}]",
      "devices.0.measured.contention.factor"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], contention: {factor: 2, others: 1, layer: [{tokens: 4, factor: 0.9}]}}}]",
      "devices.0.measured.contention.layer.0.factor"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], contention: {factor: 2, others: 1, head: [{tokens: 4, factor: 2}, {tokens: 4, factor: 2}]}}}]",
      "devices.0.measured.contention.head"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], contention: {factor: 2, others: 1, update: 0}}}]",
      "devices.0.measured.contention.update"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], sumPerLayer: {copy: 1, add: -1}}}]",
      "devices.0.measured.sumPerLayer.add"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], valueBytes: 3}}]",
      "devices.0.measured.valueBytes"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], rank: 0}}]",
      "devices.0.measured.rank"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], columns: [{frozen: 3, layer: [{tokens: 1, forward: 1}]}]}}]",
      "devices.0.measured.columns"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {rank: 4, layer: [{tokens: 1, forward: 1}], columns: [{frozen: -1, layer: [{tokens: 1, forward: 1}]}]}}]",
      "devices.0.measured.columns.0.frozen"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {rank: 4, layer: [{tokens: 1, forward: 1}], columns: [{frozen: 3, layer: []}]}}]",
      "devices.0.measured.columns.0.layer"
    ),
    (
      "devices: [{name: a, memory: 5, measured: {layer: [{tokens: 1, forward: 1}], lastLayerSaves: {forward: 2, backward: 0}}}]",
      "devices.0.measured.lastLayerSaves.forward"
    ),
    ("devices: [{name: a, memory: 5, described: {peak: 1, overhead: 1.0e305}}]", "described.overhead"),
    ("devices: [{kind: orin-nx}]\nnetworks: [{name: n, latency: 0, bandwidth: 1.0e-300}]", "bandwidth"),
    ("devices: [{kind: orin-nx, memry: 5}]", "devices.0.memry"),
    ("devices: [{kind: orin-nx, count: 0}]", "devices.0.count"),
    ("devices: [{kind: orin-nx, workers: 0}]", "devices.0.workers"),
    ("devices: [{kind: orin-nx}]\nlaunch: {shell: ssh}", "launch.shell"),
    ("devices: [{kind: orin-nx}, {kind: orin-nx}]", "devices.1.name"),
    ("devices: [{kind: orin-nx}]\nlinks: [{from: orin-nx, to: b, latency: 0, bandwidth: 1}]", "links.0.to"),
    (
      "devices: [{kind: orin-nx}]\nlinks: [{from: orin-nx, to: orin-nx, latency: 0, bandwidth: 1}]", "links.0"
    ),
    ("devices: [{kind: orin-nx}]\nnetworks: [{kind: wifi9}]", "networks.0.kind"),
    ("devices: [{kind: orin-nx}]\nnetworks: [{name: n, latency: 1}]", "networks.0.bandwidth"),
    ("devices: [{kind: orin-nx}]\nnetworks: [{kind: wifi5, devices: [b]}]", "networks.0.devices"),
  ]

  @Test(arguments: wrong.indices) func saysWhatIsWrong(index: Int) throws {
    let (text, place) = Self.wrong[index]
    let error = #expect(throws: FieldError.self) { try Cluster(yaml: text, file: "c.yaml") }
    let message = try #require(error).description
    #expect(message.hasPrefix("c.yaml") && message.contains(place), "\(message)")
    #expect(!message.contains("\n") && !message.contains("DecodingError"), "\(message)")
  }

  @Test func suggestsTheFieldThatWasMeant() throws {
    let error = #expect(throws: FieldError.self) {
      try Cluster(yaml: "devices: [{kind: orin-nx, memry: 5}]", file: "c.yaml")
    }
    #expect(try #require(error).remedy == "did you mean 'devices.0.memory'?")
  }

  @Test(arguments: [
    "{layers: 2, hidden: 268435456, heads: 1, feedForward: 1, vocabulary: 1}",
    "{layers: 2, hidden: 64, heads: 4096, headDimension: 268435456, feedForward: 1, vocabulary: 1}",
    "{layers: 268435456, hidden: 64, heads: 1, feedForward: 64, vocabulary: 10}",
  ]) func shapesBeyondEveryModelAreRefused(_ text: String) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let file = folder.appendingPathComponent("shape.yaml")
      try Data(text.utf8).write(to: file)
      let error = #expect(throws: FieldError.self) { try ModelShape(contentsOf: file.path) }
      #expect(error?.description.contains("is outside 1...") == true)
    }
  }

  /// Within the limits, nothing overflows.
  @Test func theLargestShapeHasSizes() {
    let shape = ModelShape(
      layers: 1024, hidden: 1 << 20, heads: 1 << 12, keyValueHeads: 1 << 12, headDimension: 1 << 12,
      feedForward: 1 << 20, vocabulary: 1 << 24, valueBytes: 8, trainingCopies: 4, rank: 1 << 16)
    let workload = Workload(
      forwardOnly: [], trained: Workload.Pass(task: "t", tokens: 100, labels: 1), samples: 4,
      trainedColumns: 1 << 16)
    let bytes = StageCosts.memory(
      shape, workload, layers: 0..<1024, microBatch: 1, trains: true, inFlight: 4)
    #expect(bytes > 0)
  }

  @Test func theLineOfAMistakeIsNamed() throws {
    let error = #expect(throws: FieldError.self) {
      try Cluster(yaml: "name: lab\ndevices:\n  - kind: orin-nx\n    count: 1e9\n", file: "c.yaml")
    }
    #expect(
      try #require(error).description
        == "c.yaml:4: field 'devices.0.count': expected a whole number, found '1e9'; use a whole number in "
        + "1...100000")
  }

  /// Aliases may be used, and expand to as many values as the text is long.
  @Test func filesMadeToOverwhelm() throws {
    var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
      let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      bomb += "a\(level): &a\(level) [\(aliases)]\n"
    }
    let links = (0..<20_000).map { _ in "{from: a, to: b, latency: 0, bandwidth: 1, residual: 0}" }
    for text in [
      bomb, String(repeating: "[", count: 100_000), "devices: []\ndevices: []", "devices: *none", "[]", "",
    ] {
      #expect(throws: FieldError.self) { try Cluster(yaml: text, file: "c.yaml") }
    }
    let long =
      "devices: [{name: a, memory: 5, described: &x {peak: 1}}, {name: b, memory: 5, described: *x}]\n"
      + "links: [\(links.joined(separator: ", "))]"
    #expect(try Cluster(yaml: long, file: "c.yaml").links.count == 20_000)
  }

  /// The plan file and the launcher pass clusters on in JSON.
  @Test func jsonIsReadWithTheSameChecks() throws {
    var cluster = try Cluster(yaml: Self.whole, file: "c.yaml")
    for (index, name) in ["null", "12", "a: b # c", "true"].enumerated() {
      cluster.devices[index].name = name
    }
    cluster.links = []
    cluster.networks = []
    #expect(try Cluster(yaml: cluster.yaml(), file: "again.yaml") == cluster)
    #expect(try JSONDecoder().decode(Cluster.self, from: JSONEncoder().encode(cluster)) == cluster)
    cluster.devices[1].name = "null"
    let json = try JSONEncoder().encode(cluster)
    #expect(throws: FieldError.self) { try JSONDecoder().decode(Cluster.self, from: json) }
  }

  @Test func filesThatCannotBeRead() {
    #expect(throws: FieldError.self) { try Cluster(contentsOf: "/nowhere/c.yaml") }
    #expect(throws: FieldError.self) { try Cluster(contentsOf: "/tmp") }
  }
}

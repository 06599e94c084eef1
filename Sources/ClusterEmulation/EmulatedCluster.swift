import StrictYAML

/// Hosts to emulate on one machine, read from a YAML file.
///
/// ```yaml
/// link: {bandwidth: 100 Mbit/s, delay: 2 ms}     # of every host, unless its own link says otherwise
/// hosts:
///   - {name: orin}
///   - {name: nano, cpu: 0.5, memory: 2048 MiB, link: {bandwidth: 40 Mbit/s, delay: 5 ms, loss: 0.01}}
/// subnet: 10.73.0.0/24                           # default: the first of 10.73.N.0/24 that is free
/// ```
///
/// Each host is connected to a switch by one link, as devices are to an access point. A message from one host
/// to another passes both links: the lower bandwidth applies, delays add up.
package struct EmulatedCluster: StrictlyDecodable, Sendable, Hashable {
  /// A host's link to the switch, the same in both directions.
  package struct Link: Sendable, Hashable {
    /// Megabits per second each way; `nil` for no limit.
    package let bandwidth: Double?
    /// Milliseconds one way. Default: 0.
    package let delay: Double
    /// The share of packets lost, one way. Default: 0.
    package let loss: Double

    /// Bytes per second.
    var bytesPerSecond: Double? { bandwidth.map { $0 * 125_000 } }
  }

  /// One host. It has one slot, so one rank runs on it.
  package struct Host: Sendable, Hashable {
    /// Its name, which is also its hostname.
    package let name: String
    /// Its processor time in cores; `nil` for no limit.
    package let cpu: Double?
    /// Its memory in MiB; `nil` for no limit.
    package let memory: Int?
    /// Its link.
    package let link: Link
  }

  /// The hosts, in the order of their ranks. At least one.
  package let hosts: [Host]
  /// Their network; `nil` to choose a free one.
  package let subnet: Subnet?

  /// Reads a file.
  package init(contentsOf path: String) throws(FieldError) {
    try self.init(contentsOf: path, called: "an emulated cluster in YAML")
  }

  /// Reads the root of a file.
  package init(_ field: Field) throws(FieldError) {
    let root = try StrictFields(field, known: ["link", "hosts", "subnet"])
    let common = try Self.link(root, or: Link(bandwidth: nil, delay: 0, loss: 0))
    let example = "hosts: [{name: a}, {name: b, cpu: 0.5}]"
    let list = try root.required("hosts", "write a list, as in \(example)")
    var hosts: [Host] = []
    for field in try list.list(example) {
      let fields = try StrictFields(field, known: ["name", "cpu", "memory", "link"])
      let name = try Self.name(fields.required("name", "name the host"))
      if hosts.contains(where: { $0.name == name }) {
        throw fields.error("name", "there are two hosts named '\(name)'", "rename one of them")
      }
      let cores = "use a number of cores, as in 0.5 for half of one"
      hosts.append(
        Host(
          name: name,
          cpu: try fields["cpu"]?.number("outside 0.05...64", cores) { (0.05...64).contains($0) },
          memory: try fields["memory"].map { field throws(FieldError) in
            Int(try field.quantity("MiB", "512 MiB", 16...1_048_576))
          },
          link: try Self.link(fields, or: common)))
    }
    guard let first = hosts.first else {
      throw list.error("is empty", "write a list, as in \(example)")
    }
    guard hosts.count <= 200 else {
      throw list.error("\(hosts.count) hosts are more than 200", "leave some out, from \(first.name) on")
    }
    self.hosts = hosts
    subnet = try root["subnet"].map { field throws(FieldError) in
      let remedy = "give a private network that is not in use here, as in 10.73.0.0/24"
      let text = try field.text(remedy)
      guard let subnet = Subnet(text) else { throw field.error("'\(text)' is not an IPv4 network", remedy) }
      guard subnet.capacity >= hosts.count else {
        throw field.error("\(subnet) has too few addresses for \(hosts.count) hosts and the bridge", remedy)
      }
      return subnet
    }
  }

  /// The link from one host to another: the lower bandwidth, the sum of the delays, the combined loss.
  func path(from: Int, to: Int) -> Link {
    let (out, into) = (hosts[from].link, hosts[to].link)
    return Link(
      bandwidth: [out.bandwidth, into.bandwidth].compactMap { $0 }.min(), delay: out.delay + into.delay,
      loss: 1 - (1 - out.loss) * (1 - into.loss))
  }

  private static func link(_ fields: StrictFields, or other: Link) throws(FieldError) -> Link {
    let link = try fields.mapping("link", known: ["bandwidth", "delay", "loss"])
    return Link(
      bandwidth: try link["bandwidth"]?.quantity("Mbit/s", "100 Mbit/s", 0.1...100_000) ?? other.bandwidth,
      delay: try link["delay"]?.quantity("ms", "5 ms", 0...10_000) ?? other.delay,
      loss: try link["loss"]?.number("outside 0...0.5", "give the share of packets lost, as in 0.01") {
        (0...0.5).contains($0)
      } ?? other.loss)
  }

  /// A text that can be a hostname and part of other names.
  private static func name(_ field: Field) throws(FieldError) -> String {
    let remedy = "use up to 40 letters, digits, '.' and '-', a letter or digit first"
    let name = try field.text(remedy)
    guard name.utf8.count <= 40, name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9.\-]*/) != nil else {
      throw field.error("'\(name)' is not a valid host name", remedy)
    }
    return name
  }
}

extension Field {
  /// A number followed by its unit.
  fileprivate func quantity(
    _ unit: String, _ example: String, _ range: ClosedRange<Double>
  ) throws(FieldError) -> Double {
    let remedy = "write a number and its unit, as in \(example)"
    let text = try text(remedy)
    guard let match = text.wholeMatch(of: /([0-9]+(?:\.[0-9]+)?) *(\S*)/), let value = Double(match.1),
      match.2 == unit
    else { throw error("'\(text)' is not a number of \(unit)", remedy) }
    guard range.contains(value) else {
      throw error(
        "\(text) is outside \(Self.short(range.lowerBound))...\(Self.short(range.upperBound)) \(unit)",
        "use a number in that range")
    }
    return value
  }

  private static func short(_ number: Double) -> String {
    number == number.rounded() ? "\(Int(number))" : "\(number)"
  }
}

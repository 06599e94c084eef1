import InputErrors
import StrictYAML

/// The machines that a job may use, read from a YAML file.
///
/// ```yaml
/// hosts:
///   - {name: orin, address: 10.0.0.1, slots: 1, user: ubuntu}
///   - {name: nano, address: 10.0.0.2}
/// network: 10.0.0.0/24      # default: the smallest one that contains all addresses, if it has 16 bits or more
/// remoteShell: ssh          # default: ssh, without password prompts
/// ```
///
/// Ranks are assigned in file order: first the first host's slots, then the second's.
package struct Hosts: StrictlyDecodable, Sendable, Hashable {
  /// One machine.
  package struct Host: Sendable, Hashable {
    /// Its name, for messages. Required.
    package let name: String
    /// Its address: IPv4, or a name that resolves on every host. Default: the name.
    package let address: String
    /// The number of ranks that run on it. Default: 1.
    package let slots: Int
    /// The user that ssh logs in as. Default `nil`: ssh's choice.
    package let user: String?

    /// Checks nothing; `Hosts` does.
    package init(name: String, address: String? = nil, slots: Int = 1, user: String? = nil) {
      (self.name, self.address, self.slots, self.user) = (name, address ?? name, slots, user)
    }
  }

  /// The machines, in file order. At least one.
  package let hosts: [Host]
  /// The network that messages use: an interface's name or `ADDRESS/BITS`; `nil` for a single machine, whose
  /// ranks share memory.
  package let network: String?
  /// The program that starts a command on another host; `nil` for ssh.
  package let remoteShell: String?

  /// The total number of slots.
  package var slots: Int { hosts.reduce(0) { $0 + $1.slots } }

  /// The host that a rank runs on.
  ///
  /// - Precondition: the rank is below `slots`.
  package func host(ofRank rank: Int) -> Host {
    var first = 0
    for host in hosts {
      first += host.slots
      if rank < first { return host }
    }
    preconditionFailure("rank \(rank) of \(slots) slots")
  }

  /// Reads a hosts file.
  package init(contentsOf path: String) throws(FieldError) {
    try self.init(contentsOf: path, called: "a hosts file in YAML")
  }

  /// Reads the root of a hosts file.
  package init(_ field: Field) throws(FieldError) {
    let root = try StrictFields(field, known: ["hosts", "network", "remoteShell"])
    let example = "hosts: [{name: a, address: 10.0.0.1}]"
    let list = try root.required("hosts", "write a list, as in \(example)")
    var hosts: [Host] = []
    for field in try list.list(example) {
      let fields = try StrictFields(field, known: ["name", "address", "slots", "user"])
      let remedy = "use letters, digits, '.', '-' and '_'"
      let name = try Self.word(fields.required("name", "name the host"), remedy)
      let address = try fields["address"].map { field throws(FieldError) in try Self.word(field, remedy) }
      let host = Host(
        name: name, address: address ?? name, slots: try fields["slots"]?.integer(1...1024) ?? 1,
        user: try fields["user"].map { field throws(FieldError) in try Self.word(field, remedy) })
      if let twin = hosts.first(where: { $0.name == host.name || $0.address == host.address }) {
        throw field.error("is the same as host '\(twin.name)'", "list a host once and give it more slots")
      }
      hosts.append(host)
    }
    guard !hosts.isEmpty else { throw list.error("is empty", "write a list, as in \(example)") }
    self.hosts = hosts
    remoteShell = try root["remoteShell"]?.text("name the program that starts a command on a host")
    let remedy = Self.networkRemedy
    if let field = root["network"] {
      let text = try Self.word(field, remedy, also: "/")
      guard Self.isNetwork(text) else { throw field.error("'\(text)' is not a network", remedy) }
      network = text
    } else if hosts.count == 1 {
      network = nil
    } else {
      do throws(Refusal) { network = try Self.network(of: hosts.map(\.address)) } catch {
        throw root.error("network", "is missing, and \(error.problem)", error.remedy)
      }
    }
  }

  /// Hosts that are known already. If `network` is `nil`, it is derived from the addresses.
  ///
  /// - Throws: `Refusal` if a name is not a plain word, a host is duplicated, the network is not one, or none can
  ///   be derived from the addresses.
  package init(
    _ hosts: [Host], network: String? = nil, remoteShell: String? = nil
  ) throws(Refusal) {
    for (index, host) in hosts.enumerated() {
      for text in [host.name, host.address, host.user].compactMap(\.self) where !Self.isWord(text) {
        throw Refusal(
          "host '\(host.name)': '\(text)' is not a plain word",
          "use letters, digits, '.', '-' and '_'")
      }
      if hosts[..<index].contains(where: { $0.name == host.name || $0.address == host.address }) {
        throw Refusal(
          "host '\(host.name)' at \(host.address) is listed twice",
          "list a host once and give it more slots")
      }
    }
    guard !hosts.isEmpty, hosts.allSatisfy({ $0.slots > 0 }) else {
      throw Refusal("there is no host to start a rank on", "name a host with a slot")
    }
    if let network, !Self.isWord(network, also: "/") || !Self.isNetwork(network) {
      throw Refusal("'\(network)' is not a network", Self.networkRemedy)
    }
    self.hosts = hosts
    self.remoteShell = remoteShell
    if network != nil || hosts.count == 1 {
      self.network = network
    } else {
      do throws(Refusal) { self.network = try Self.network(of: hosts.map(\.address)) } catch {
        throw Refusal("no network is given, and \(error.problem)", error.remedy)
      }
    }
  }

  private static let networkRemedy = "give an interface's name, or a network as in 10.0.0.0/24"

  /// Where one rank runs: a device's name, the address of its machine, and the user that logs in there.
  package struct Place: Sendable, Hashable {
    /// The device's name.
    package var name: String
    /// Its machine's address.
    package var address: String
    /// The user that ssh logs in as.
    package var user: String?

    package init(name: String, address: String, user: String? = nil) {
      (self.name, self.address, self.user) = (name, address, user)
    }
  }

  /// Hosts with one slot per place. Places with the same address share a machine.
  ///
  /// `order` has the place of each rank. It is the given order, unless the places of a machine are not
  /// adjacent.
  ///
  /// - Throws: what `init(_:network:remoteShell:)` throws.
  package static func holding(
    _ places: [Place], network: String? = nil, remoteShell: String? = nil
  ) throws(Refusal) -> (hosts: Hosts, order: [Int]) {
    var addresses: [String] = []
    for place in places where !addresses.contains(place.address) { addresses.append(place.address) }
    let groups = addresses.map { address in places.indices.filter { places[$0].address == address } }
    let hosts = groups.map { group in
      let first = places[group[0]]
      return Host(
        name: group.count == 1 ? first.name : first.address, address: first.address, slots: group.count,
        user: first.user)
    }
    return (try Hosts(hosts, network: network, remoteShell: remoteShell), groups.flatMap { $0 })
  }

  /// A text that cannot break the line of a host file or be taken for an option.
  private static func word(
    _ field: Field, _ remedy: String, also: String = ""
  ) throws(FieldError) -> String {
    let text = try field.text(remedy)
    guard isWord(text, also: also) else { throw field.error("'\(text)' is not a plain word", remedy) }
    return text
  }

  private static func isWord(_ text: String, also: String = "") -> Bool {
    let isPlain = text.utf8.allSatisfy { byte in
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
        || (".-_" + also).utf8.contains(byte)
    }
    return isPlain && !text.isEmpty && !text.hasPrefix("-")
  }

  /// The shortest prefix that is derived: a network with fewer bits joins networks that need not reach each
  /// other. It also keeps a derived network within one of the private ranges 10/8, 172.16/12 and 192.168/16.
  private static let fewestBits = 16

  /// The smallest network that contains all IPv4 addresses.
  ///
  /// - Throws: `Refusal` if an address is something else, or the network would have fewer than 16 bits.
  private static func network(of addresses: [String]) throws(Refusal) -> String {
    var numbers: [UInt32] = []
    for address in addresses {
      guard let number = number(ofAddress: address) else {
        throw Refusal("not every address is an IPv4 address", networkRemedy)
      }
      numbers.append(number)
    }
    var bits = 32
    for (number, address) in zip(numbers, addresses) {
      bits = min(bits, (numbers[0] ^ number).leadingZeroBitCount)
      guard bits >= fewestBits else {
        throw Refusal(
          "\(addresses[0]) and \(address) share none of \(fewestBits) bits or more", networkRemedy)
      }
    }
    let base = numbers[0] & (UInt32.max << UInt32(32 - bits))
    return [24, 16, 8, 0].map { String(base >> UInt32($0) & 0xFF) }.joined(separator: ".") + "/\(bits)"
  }

  private static func number(ofAddress address: some StringProtocol) -> UInt32? {
    let parts = address.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    guard parts.count == 4, !parts.contains(nil) else { return nil }
    return parts.reduce(0) { $0 << 8 | UInt32($1 ?? 0) }
  }

  /// Whether a text can be an interface's name, or is a network such as `10.0.0.0/24`.
  private static func isNetwork(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    // An address without bits would be taken for an interface's name.
    if parts.count == 1 { return number(ofAddress: text) == nil }
    guard parts.count == 2, number(ofAddress: parts[0]) != nil, let bits = Int(parts[1]) else { return false }
    return (0...32).contains(bits)
  }
}

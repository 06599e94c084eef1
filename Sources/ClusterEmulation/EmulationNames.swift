/// The names of what an emulation creates in the system. They all begin with the ID of the process that owns
/// it, so that two emulations do not collide, and the leftovers of a killed one can be attributed to it.
package struct EmulationNames: Hashable {
  /// The environment variable that marks an emulation's processes.
  package static let variable = "CONTEXTURE_EMULATION"
  private static let prefix = "ctx"

  /// The ID of the process that owns the emulation.
  package let owner: Int32

  /// The name of the emulation: also that of its bridge, and the value of the variable.
  package var emulation: String { "\(Self.prefix)\(owner)" }

  /// The name of a host's network namespace and control groups.
  package func host(_ name: String) -> String { "\(emulation)-\(name)" }

  /// The name of the bridge's end of a host's link. The kernel allows 15 characters.
  package func port(_ host: Int) -> String { "\(emulation)-\(host + 1)" }

  package init(owner: Int32) { self.owner = owner }

  /// The emulation that a name belongs to; `nil` for other names.
  package init?(of name: some StringProtocol) {
    guard name.hasPrefix(Self.prefix) else { return nil }
    let rest = name.dropFirst(Self.prefix.count)
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    guard let owner = Int32(digits), digits.count == rest.count || rest.dropFirst(digits.count).first == "-"
    else { return nil }
    self.owner = owner
  }
}

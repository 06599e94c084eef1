/// The names of what an emulation makes in the system. They all begin with the process that owns it, so that
/// two emulations do not meet, and what a killed one left is known as its.
package struct EmulationNames: Hashable {
  /// The environment variable that tells an emulation's processes from others.
  package static let variable = "CONTEXTURE_EMULATION"
  private static let prefix = "ctx"

  /// The process that owns the emulation.
  package let owner: Int32

  /// The name of the whole: also its bridge's, and the value of the variable.
  package var emulation: String { "\(Self.prefix)\(owner)" }

  /// The network namespace and the control groups of a host.
  package func host(_ name: String) -> String { "\(emulation)-\(name)" }

  /// The bridge's end of a host's link. The kernel allows 15 characters.
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

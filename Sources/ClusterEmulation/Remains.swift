/// What an emulation has in the system, found by its names.
package struct Remains: Hashable {
  package var links: [String]
  package var namespaces: [String]
  /// Folders of control groups.
  package var groups: [String]

  package init(links: [String] = [], namespaces: [String] = [], groups: [String] = []) {
    (self.links, self.namespaces, self.groups) = (links, namespaces, groups)
  }

  /// Whether nothing is there.
  package var isEmpty: Bool { links.isEmpty && namespaces.isEmpty && groups.isEmpty }

  /// What removes it, once no process is left in it. The ends of a link go together.
  package var removal: [Step] {
    links.map { .run("ip link del \($0)") } + namespaces.map { .run("ip netns del \($0)") }
      + groups.map { .removeFolder($0) }
  }

  /// All of it, for messages.
  var description: String { (links + namespaces.map { "netns \($0)" } + groups).joined(separator: ", ") }
}

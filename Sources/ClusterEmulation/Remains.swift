/// What an emulation has in the system, found by name.
package struct Remains: Hashable {
  package var links: [String]
  package var namespaces: [String]
  /// Folders of control groups.
  package var groups: [String]

  package init(links: [String] = [], namespaces: [String] = [], groups: [String] = []) {
    (self.links, self.namespaces, self.groups) = (links, namespaces, groups)
  }

  package var isEmpty: Bool { links.isEmpty && namespaces.isEmpty && groups.isEmpty }

  /// The steps that remove it once no process is left in it. Removing one end of a link removes both.
  package var removal: [Step] {
    links.map { .run("ip link del \($0)") } + namespaces.map { .run("ip netns del \($0)") }
      + groups.map { .removeFolder($0) }
  }

  /// All of it, for messages.
  var description: String { (links + namespaces.map { "netns \($0)" } + groups).joined(separator: ", ") }
}

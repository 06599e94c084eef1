extension String {
  /// The path without its last component: empty for a name without a folder, `/` for an entry of the root.
  ///
  /// Foundation's `deletingLastPathComponent` traps on a path of one character.
  package var parentPath: String {
    var path = self[...]
    func dropSlashes() { while path.count > 1, path.hasSuffix("/") { path.removeLast() } }
    dropSlashes()
    guard let slash = path.lastIndex(of: "/") else { return "" }
    path = path[...slash]
    dropSlashes()
    return String(path)
  }
}

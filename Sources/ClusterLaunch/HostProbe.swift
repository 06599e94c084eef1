import Foundation

/// Checks whether a command can still be started on hosts.
package struct HostProbe: Sendable {
  private let remoteShell: String?
  private let patience: Double

  /// - Parameters:
  ///   - remoteShell: the program that starts a command on a host, with its own arguments; `nil` for ssh.
  ///   - patience: seconds after which a host counts as gone.
  package init(remoteShell: String?, patience: Double) {
    (self.remoteShell, self.patience) = (remoteShell, patience)
  }

  /// The addresses of the hosts that do not run `true` in time. All are probed at once; this machine always
  /// counts as answering.
  package func silent(_ places: [Hosts.Place]) -> Set<String> {
    let own = Self.ownAddresses()
    var asked: [String: Process] = [:]
    var silent: Set<String> = []
    for place in places where !own.contains(place.address) && !place.address.hasPrefix("127.") {
      guard asked[place.address] == nil, !silent.contains(place.address) else { continue }
      do { asked[place.address] = try start(place) } catch { silent.insert(place.address) }
    }
    let deadline = Date(timeIntervalSinceNow: patience)
    while asked.values.contains(where: \.isRunning), Date() < deadline { Thread.sleep(forTimeInterval: 0.02) }
    for (address, process) in asked {
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        silent.insert(address)
      } else if process.terminationStatus != 0 {
        silent.insert(address)
      }
    }
    return silent
  }

  private func start(_ place: Hosts.Place) throws -> Process {
    let shell =
      remoteShell.map { $0.split(separator: " ").map(String.init) }
      ?? ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=\(max(1, Int(patience)))"]
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = shell + (place.user.map { ["-l", $0] } ?? []) + [place.address, "true"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }

  /// This machine's names and IPv4 addresses, where mpirun starts ranks without a remote shell.
  private static func ownAddresses() -> Set<String> {
    let name = ProcessInfo.processInfo.hostName
    var found: Set<String> = ["localhost", name, String(name.prefix { $0 != "." })]
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return found }
    defer { freeifaddrs(list) }
    var next = list
    while let entry = next {
      next = entry.pointee.ifa_next
      guard let address = entry.pointee.ifa_addr, address.pointee.sa_family == UInt16(AF_INET) else {
        continue
      }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      if getnameinfo(
        address, socklen_t(MemoryLayout<sockaddr_in>.size), &text, socklen_t(text.count), nil, 0,
        NI_NUMERICHOST) == 0
      {
        found.insert(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
      }
    }
    return found
  }
}

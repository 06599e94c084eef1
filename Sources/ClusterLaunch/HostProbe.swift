import Foundation

/// Asks a host whether a command can still be started there.
public struct HostProbe: Sendable {
  private let remoteShell: String?
  private let patience: Double

  /// - Parameters:
  ///   - remoteShell: the program that starts a command on a host; `nil` for ssh.
  ///   - patience: seconds until a host counts as gone.
  public init(remoteShell: String?, patience: Double) {
    (self.remoteShell, self.patience) = (remoteShell, patience)
  }

  /// Whether the host runs `true` in time. This machine always does.
  public func answers(_ address: String) -> Bool {
    if address == "localhost" || address.hasPrefix("127.") { return true }
    let shell =
      remoteShell.map { [$0] }
      ?? ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=\(max(1, Int(patience)))"]
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = shell + [address, "true"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { return false }
    let deadline = Date(timeIntervalSinceNow: patience)
    while process.isRunning, Date() < deadline { Thread.sleep(forTimeInterval: 0.02) }
    guard !process.isRunning else {
      process.terminate()
      return false
    }
    return process.terminationStatus == 0
  }
}

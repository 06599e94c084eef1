import Foundation
import InputErrors
import SafeFiles

/// Runs `scripts/sumo_states.py`, which simulates with SUMO and writes states.
struct SumoSimulation {
  let seed: UInt16
  let worlds: Int

  /// The script, relative to the repository's folder.
  static let script = "scripts/sumo_states.py"

  /// - Throws: `Refusal` if the script, Python or SUMO is missing, or `path` exists.
  func write(to path: String) throws {
    guard FileManager.default.fileExists(atPath: Self.script) else {
      throw Refusal(
        Self.script, "is not below the current folder", "run this in the folder of the repository")
    }
    guard !FileManager.default.fileExists(atPath: path) else {
      throw Refusal(
        "--simulate \(path)", "exists already", "name a new file, or use it with --states \(path)")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "python3", Self.script, "--out", path, "--worlds", "\(worlds)", "--seed", "\(seed)",
    ]
    process.standardInput = FileHandle.nullDevice
    // Progress, also that of TraCI, which writes to standard output.
    process.standardOutput = FileHandle.standardError
    do { try process.run() } catch {
      throw Refusal(
        "--simulate", "cannot start /usr/bin/env (\(error.localizedDescription))", "install python3")
    }
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw Refusal(
        "--simulate", "the simulation failed, as said above",
        "SUMO is installed by: apt-get install --no-install-recommends sumo sumo-tools")
    }
  }
}

import ClusterLaunch
import ContextGear
import Foundation
import InputErrors
import TextTables
import Transport

/// What a rank measured of its device.
package struct RankProfile: Codable {
  package var host: String
  /// Identifies the machine; several ranks may share one.
  package var machine: String
  package var workers: Int
  package var memory: Int
  /// The number format, for people.
  package var precision: String
  /// Bytes of a stored weight.
  package var valueBytes: Int
  package var times: MeasuredTimes
}

/// What all ranks measured.
package struct ClusterProfile: Codable {
  /// The model's signature.
  package var model: String
  package var loraRank: Int
  package var sequenceLength: Int
  package var ranks: [RankProfile]
  package var links: [LinkMeasurement]

  /// As a cluster file.
  ///
  /// - Parameters:
  ///   - places: names and addresses of the ranks' devices.
  ///   - hosts: what the ranks were started with, so that the file alone can start them again.
  package func cluster(name: String, places: [Hosts.Place], hosts: Hosts?) throws -> Cluster {
    let when = Date().ISO8601Format()
    let shared = ranks.map(\.machine).uniqued.filter { id in ranks.count { $0.machine == id } > 1 }
    let devices = zip(places, ranks).map { place, rank in
      let settings =
        "\(rank.precision), \(rank.workers) \(rank.workers == 1 ? "thread" : "threads"), rank \(loraRank), "
        + "sequences of \(sequenceLength) tokens"
      var times = rank.times.rounded
      times.valueBytes = rank.valueBytes
      times.measured = Provenance(when: when, machine: rank.host, model: model, settings: settings)
      return Device(
        name: place.name, host: place.address, user: place.user, workers: rank.workers,
        machine: shared.firstIndex(of: rank.machine).map { $0 + 1 }, memory: rank.memory,
        speed: .measured(times))
    }
    let links = self.links.compactMap { link in
      link.fit.map {
        Link(
          from: places[link.source].name, to: places[link.destination].name, directed: true,
          latency: $0.latency.rounded(digits: 4), bandwidth: $0.bandwidth.rounded(digits: 4),
          residual: $0.residual.rounded(digits: 2))
      }
    }
    let launch = Launch(network: hosts?.network, remoteShell: hosts?.remoteShell)
    let machines = ranks.map(\.host).uniqued
    let cluster = Cluster(
      name: name,
      measured: Provenance(
        when: when,
        machine: machines.prefix(3).joined(separator: ", ")
          + (machines.count > 3 ? " and \(machines.count - 3) more" : ""), model: model),
      devices: devices, links: links, launch: launch == Launch() ? nil : launch)
    // Reading it checks it.
    return try Cluster(yaml: cluster.yaml(), file: name)
  }

  /// Tables for people.
  package func text(_ cluster: Cluster) -> String {
    let sizes = ranks.first?.times.layer.map(\.tokens) ?? []
    let labels = ranks.first?.times.head.last?.tokens ?? 0
    let shares = ranks.contains { $0.times.contention != nil }
    var devices = [
      ["device"] + sizes.map { "\($0) tokens" } + ["head, \(labels) labels", "update", "threads", "memory"]
        + (shares ? ["contention"] : [])
    ]
    func both(_ point: MeasuredTimes.Point) -> String {
      Self.ms(point.forward) + " / " + Self.ms(point.backward)
    }
    for (device, rank) in zip(cluster.devices, ranks) {
      devices.append(
        [device.name] + rank.times.layer.map(both) + [rank.times.head.last.map(both) ?? "-"]
          + [Self.ms(rank.times.updatePerLayer), "\(rank.workers)", "\(rank.memory / 1_000_000) MB"]
          + (shares ? [rank.times.contention.map { String(format: "%.2f x", $0.factor) } ?? "-"] : []))
    }
    let right = Set(1..<(devices.first?.count ?? 1))
    var sections = [
      "One layer forward / backward, the head, and a layer's update, in milliseconds",
      TextTable.aligned(devices, right: right),
    ]
    if !cluster.links.isEmpty {
      let rows = cluster.links.map { link in
        [
          "\(link.from) -> \(link.to)", String(format: "%.1f us", link.latency * 1e6),
          String(format: "%.1f MB/s", link.bandwidth / 1e6),
          link.residual.map { String(format: "%.0f %%", $0 * 100) } ?? "-",
        ]
      }
      sections += [
        "",
        TextTable.aligned([["link", "latency", "bandwidth", "residual"]] + rows, right: [1, 2, 3]),
      ]
    }
    return sections.joined(separator: "\n")
  }

  private static func ms(_ seconds: Double) -> String {
    String(format: seconds < 0.1 ? "%.2f" : "%.0f", seconds * 1e3)
  }
}

extension MeasuredTimes {
  /// Four digits: no measurement repeats more.
  fileprivate var rounded: MeasuredTimes {
    func points(_ points: [Point]) -> [Point] {
      points.map {
        Point(
          tokens: $0.tokens, forward: $0.forward.rounded(digits: 4), backward: $0.backward.rounded(digits: 4))
      }
    }
    return MeasuredTimes(
      layer: points(layer), head: points(head), embedding: points(embedding),
      updatePerLayer: updatePerLayer.rounded(digits: 4),
      sumPerLayer: sumPerLayer.map {
        SumTimes(copy: $0.copy.rounded(digits: 4), add: $0.add.rounded(digits: 4))
      }, rank: rank,
      columns: columns.map {
        ColumnTimes(trained: $0.trained, frozen: $0.frozen, layer: points($0.layer))
      },
      lastLayerSaves: lastLayerSaves.map {
        Saving(forward: $0.forward.rounded(digits: 3), backward: $0.backward.rounded(digits: 3))
      }, mergesFrozen: mergesFrozen, valueBytes: valueBytes,
      contention: contention?.rounded, measured: measured)
  }
}

extension Contention {
  fileprivate var rounded: Contention {
    func factor(_ factor: Double) -> Double { max(factor.rounded(digits: 3), 1) }
    func sizes(_ sizes: [Size]) -> [Size] {
      sizes.map { Size(tokens: $0.tokens, factor: factor($0.factor)) }
    }
    return Contention(
      factor: factor(self.factor), others: others, layer: sizes(layer), head: sizes(head),
      update: update.map(factor), sum: sum.map(factor))
  }
}

extension Double {
  /// The value rounded to `digits` significant digits.
  fileprivate func rounded(digits: Int) -> Double {
    Double(String(format: "%.\(digits - 1)e", self)) ?? self
  }
}

extension [String] {
  /// Each once, in the order of their first places.
  package var uniqued: [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}

/// A profile's way from rank 0 to the process that started the ranks: lines of its standard output. The
/// ranks may all run on other machines, so a file would not do.
package struct ProfileReport {
  private static let mark = "@profile "
  private var text = ""

  package init() {}

  /// The lines of a profile, short enough to pass as a whole.
  package static func lines(_ profile: ClusterProfile) throws -> [String] {
    let bytes = Array(try JSONEncoder().encode(profile).base64EncodedString().utf8)
    return stride(from: 0, to: bytes.count, by: 1000).map {
      mark + String(decoding: bytes[$0..<min($0 + 1000, bytes.count)], as: UTF8.self)
    }
  }

  /// Takes a line if it is part of a profile.
  package mutating func take(_ line: String) -> Bool {
    guard line.hasPrefix(Self.mark) else { return false }
    text += line.dropFirst(Self.mark.count)
    return true
  }

  /// What came.
  package func profile() throws -> ClusterProfile {
    guard let data = Data(base64Encoded: text),
      let profile = try? JSONDecoder().decode(ClusterProfile.self, from: data)
    else {
      throw Refusal(
        "rank 0", "ended without its results", "see the output of the ranks")
    }
    return profile
  }
}

import ClusterEmulation
import StrictYAML
import Testing

@Suite struct EmulatedClusterTests {
  @Test func everyFieldIsRead() throws {
    let cluster = try EmulatedCluster(
      yaml: """
        link: {bandwidth: 100 Mbit/s, delay: 2 ms}
        hosts:
          - {name: orin}
          - {name: nano, cpu: 0.5, memory: 2048 MiB, link: {bandwidth: 5.5 Mbit/s, loss: 0.01}}
          - {name: lan.1, link: {delay: 0.25ms}}
        subnet: 10.80.0.7/28
        """, file: "e")
    #expect(cluster.hosts.map(\.name) == ["orin", "nano", "lan.1"])
    #expect(cluster.hosts.map(\.cpu) == [nil, 0.5, nil])
    #expect(cluster.hosts.map(\.memory) == [nil, 2048, nil])
    #expect(cluster.hosts.map(\.link.bandwidth) == [100, 5.5, 100])
    #expect(cluster.hosts.map(\.link.delay) == [2, 2, 0.25])
    #expect(cluster.hosts.map(\.link.loss) == [0, 0.01, 0])
    #expect(cluster.subnet?.description == "10.80.0.0/28")
  }

  @Test(arguments: [
    ("", "e.yaml:1: field 'hosts': is missing; write a list, as in hosts: [{name: a}, {name: b, cpu: 0.5}]"),
    (
      "hosts: []",
      "e.yaml:1: field 'hosts': is empty; write a list, as in hosts: [{name: a}, {name: b, cpu: 0.5}]"
    ),
    (
      "hosts: [{nmae: a}]",
      "e.yaml:1: field 'hosts.0.nmae': not a known field; did you mean 'hosts.0.name'?"
    ),
    (
      "hosts: [{name: a b}]",
      "e.yaml:1: field 'hosts.0.name': 'a b' is not a valid host name; "
        + "use up to 40 letters, digits, '.' and '-', a letter or digit first"
    ),
    (
      "hosts: [{name: a}, {name: a}]",
      "e.yaml:1: field 'hosts.1.name': there are two hosts named 'a'; rename one of them"
    ),
    (
      "hosts: [{name: a, cpu: 0}]",
      "e.yaml:1: field 'hosts.0.cpu': 0 is outside 0.05...64; use a number of cores, as in 0.5 for half of one"
    ),
    (
      "hosts: [{name: a, memory: 512}]",
      "e.yaml:1: field 'hosts.0.memory': '512' is not a number of MiB; write a number and its unit, as in 512 MiB"
    ),
    (
      "link: {bandwidth: 1 Gbit/s}",
      "e.yaml:1: field 'link.bandwidth': '1 Gbit/s' is not a number of Mbit/s; "
        + "write a number and its unit, as in 100 Mbit/s"
    ),
    (
      "link: {bandwidth: 0 Mbit/s}",
      "e.yaml:1: field 'link.bandwidth': 0 Mbit/s is outside 0.1...100000 Mbit/s; use a number in that range"
    ),
    (
      "link: {delay: -1 ms}",
      "e.yaml:1: field 'link.delay': '-1 ms' is not a number of ms; write a number and its unit, as in 5 ms"
    ),
    (
      "link: {loss: 2}",
      "e.yaml:1: field 'link.loss': 2 is outside 0...0.5; give the share of packets lost, as in 0.01"
    ),
    (
      "{hosts: [{name: a}], subnet: 10.0.0.0}",
      "e.yaml:1: field 'subnet': '10.0.0.0' is not an IPv4 network; "
        + "give a private network that is not in use here, as in 10.73.0.0/24"
    ),
    (
      "{hosts: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}], subnet: 10.0.0.0/29}",
      "e.yaml:1: field 'subnet': 10.0.0.0/29 has too few addresses for 6 hosts and the bridge; "
        + "give a private network that is not in use here, as in 10.73.0.0/24"
    ),
  ]) func badFilesAreRefused(yaml: String, message: String) {
    let error = #expect(throws: FieldError.self) { try EmulatedCluster(yaml: yaml, file: "e.yaml") }
    #expect(error?.description == message)
  }
}

@Suite struct SubnetTests {
  @Test func addressesStartAtTheNetworksFirst() throws {
    let subnet = try #require(Subnet("10.73.0.9/24"))
    #expect(subnet.address(0) == "10.73.0.1")
    #expect(subnet.address(199) == "10.73.0.200")
    #expect(subnet.bridge == "10.73.0.254")
    #expect(subnet.capacity == 253)
    #expect(Subnet("172.16.0.0/12")?.bridge == "172.31.255.254")
  }

  @Test(arguments: [
    "10.0.0.0", "10.0.0/24", "10.0.0.256/24", "10.0.0.0/7", "10.0.0.0/30", "a.b.c.d/24", "10.0.0.+1/24",
  ])
  func otherTextsAreNone(text: String) { #expect(Subnet(text) == nil) }

  @Test func overlapsGoBothWays() throws {
    let (wide, inside, beside) = (Subnet("10.0.0.0/8"), Subnet("10.73.0.0/24"), Subnet("10.73.1.0/24"))
    let networks = try [#require(wide), #require(inside), #require(beside)]
    #expect(networks[0].overlaps(networks[1]) && networks[1].overlaps(networks[0]))
    #expect(!networks[1].overlaps(networks[2]))
  }
}

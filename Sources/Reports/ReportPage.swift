import Foundation

/// A page that needs nothing but itself: no script, no font, no network.
struct ReportPage {
  let title: String
  /// HTML.
  let body: String

  var html: String {
    """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(HTML.text(title))</title>
    <style>
    \(Self.style)
    </style></head><body><main>
    <h1>\(HTML.text(title))</h1>
    \(body)
    </main></body></html>

    """
  }

  private static let style = """
    \(Palette.colours)
    *{box-sizing:border-box}
    body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
    main{max-width:60rem;margin:0 auto;padding:1rem}
    h1{font-size:1.6rem;line-height:1.25;overflow-wrap:anywhere}
    h2{font-size:1.2rem;margin-top:2.2rem;border-top:1px solid var(--rule);padding-top:1rem}
    h3{font-size:1rem;margin:1.4rem 0 .4rem}
    p,li{overflow-wrap:anywhere}
    .lead{font-size:1.1rem}
    .note{color:var(--soft)}
    .state{background:var(--card);border-left:4px solid var(--k1);padding:.6rem .9rem;border-radius:4px}
    .scroll{overflow-x:auto;margin:.8rem 0}
    table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
    th,td{padding:.3rem .6rem;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
    th{color:var(--soft);font-weight:600;white-space:nowrap}
    .n{text-align:right;white-space:nowrap}
    figure{margin:1rem 0}
    figcaption{color:var(--soft);font-size:.9rem}
    svg{width:100%;height:auto;display:block}
    .graph svg{max-width:44rem}
    \(Palette.shapes)
    .edge{fill:none;stroke:var(--soft);stroke-width:1.5}
    .task{fill:var(--card);stroke:var(--rule)}
    .trained{fill:var(--trained);background:var(--trained)}
    .frozen{fill:var(--frozen);background:var(--frozen)}
    .masked{fill:var(--masked);background:var(--masked)}
    .key{display:inline-block;margin-right:.9rem;white-space:nowrap}
    .swatch{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.35rem;vertical-align:-1px}
    details{margin:.6rem 0}
    summary{cursor:pointer;font-weight:600}
    pre{background:var(--card);padding:.8rem;overflow-x:auto;font:13px/1.45 ui-monospace,monospace;border-radius:4px}
    .error{background:var(--card);padding:.6rem .9rem;border-radius:4px;margin:.6rem 0}
    .error dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:0}
    .error dt{color:var(--soft)}
    .error dd{margin:0;overflow-wrap:anywhere}
    td:first-child{white-space:nowrap}
    @media (max-width:40rem){figure{overflow-x:auto}svg{min-width:34rem}figcaption{position:sticky;left:0}}
    @media (max-width:36rem){.error dl{grid-template-columns:1fr}}
    """
}

"""The texts of the tokenizer fixtures: fixed lines that each probe something, and seeded mixes of them."""

import random
import unicodedata

LINES = [
    "",
    " ",
    "  ",
    "\n",
    "\t",
    "a",
    "Hello, world!",
    "The quick brown fox jumps over the lazy dog.",
    " leading space",
    "trailing space ",
    "  two  spaces   three    four",
    "tabs\tbetween\t\twords\t",
    "line one\nline two\n\nline four\n",
    "windows\r\nline\r\n\r\nends\r\n",
    "old\rmac\rends",
    "mixed \n \r\n \t \n",
    "spaces before newline   \n   and after",
    "a\n\n\n\nb",
    "a \n\n \n b",
    "\n\n  indented",
    "   \n\n",
    "\u00a0no\u00a0break\u00a0",
    "zero\u200bwidth\u200bspace",
    "ideographic\u3000space\u3000\u3000two",
    "en\u2002em\u2003thin\u2009hair\u200anarrow\u202f",
    "line\u2028separator\u2029paragraph",
    "next\u0085line vertical\u000btab form\u000cfeed",
    "a\u2003\u2003b \u2003c\u2003 d",
    "ogham\u1680mark word\u2060joiner \ufeffbyte order mark",
    "soft\u00adhyphen left\u200eright\u200fmarks",
    "I'm you're he's it'd we'll they've can't",
    "I'M YOU'RE HE'S IT'D WE'LL THEY'VE CAN'T",
    "I'm You'Re He'S we'Ll 've 'LL 'lL 'D 't",
    "'s't're've'm'll'd",
    "''s '''t 'x 'sa 'le 'v 'r 'l",
    "I\u2019m you\u2019re it\u2019s",
    "long s '\u017f and '\u017ft",
    "rock'n'roll o'clock 'tis",
    "1 12 123 1234 12345 123456 1234567890",
    "3.14159 -2.5e-10 1,000,000 0xFF 1_000",
    " 1 22  333   4444",
    "2024-02-29T23:59:60Z",
    "٠١٢٣٤٥٦٧٨٩ ۰۱۲۳ ०१२३४५ ๐๑๒๓ ０１２３４５",
    "½ ¼ ¾ ⅓ ² ³ ¹ ₁₂ Ⅷ ⅻ ① ② ⑳ 〇一二三 ㊀ ㈠ ༳",
    "x² + y³ = z₁₂",
    "a1b22c333d4444",
    "version2.0beta3",
    "٣أيام 5天 10시 ๕วัน",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "... --- !!! ??? ,,, ;;;",
    "(parens) [brackets] {braces} <angles>",
    "hello...world!!!really???\n",
    "\"quoted\" 'single' `back` «guillemets» „low“ “curly” ‘single’",
    "em—dash en–dash hyphen‐ minus− ellipsis…",
    "!\n?\r\n.\n\n;",
    " !a !1 ! \n!",
    "$100 €200 £300 ¥400 ₹500 ₿1",
    "± × ÷ ≠ ≤ ≥ ∞ ∑ ∏ ∫ √ ∂ ∇ ∈ ∉ ⊂ ∪ ∩ ∀ ∃ ¬ ∧ ∨ → ⇒ ↔",
    "α β γ δ Δ Σ Ω π λ μ",
    "Ça va très bien, merci ! L'été à Nîmes, où l'œuvre naïve…",
    "Grüße aus Köln, Straße, STRASSE, Maßstab",
    "El niño comió piña; ¿qué? ¡olé!",
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Zażółć gęślą jaźń",
    "Árvíztűrő tükörfúrógép",
    "Þingvellir, Ísland; Ærø; Åland; İstanbul ıI iİ",
    "Tiếng Việt có nhiều dấu thanh",
    "Съешь ещё этих мягких французских булок, да выпей чаю",
    "Їжак і ґанок, єдність",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "Ὦ ξεῖν’, ἀγγέλλειν Λακεδαιμονίοις",
    "السلام عليكم ورحمة الله وبركاته",
    "اَلْعَرَبِيَّةُ بِالتَّشْكِيلِ",
    "فارسی با نیم‌فاصله می‌شود",
    "שלום עולם, מה שלומך?",
    "שָׁלוֹם בְּרֵאשִׁית",
    "नमस्ते दुनिया, आप कैसे हैं?",
    "क्षत्रिय ज्ञान श्री क्‍ष",
    "বাংলা ভাষা আমার মাতৃভাষা",
    "தமிழ் மொழி இனிமையானது",
    "తెలుగు కన్నడ ಕನ್ನಡ മലയാളം",
    "ગુજરાતી ਪੰਜਾਬੀ ଓଡ଼ିଆ සිංහල",
    "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่าง",
    "ພາສາລາວ ភាសាខ្មែរ မြန်မာဘာသာ བོད་སྐད",
    "አማርኛ ቋንቋ ქართული ენა Հայերեն լեզու",
    "ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ᚠᚢᚦᚨᚱᚲ ᠮᠣᠩᠭᠣᠯ",
    "你好，世界！今天天气怎么样？",
    "繁體中文與简体中文，《红楼梦》「引號」",
    "日本語のテスト：ひらがな、カタカナ、漢字。",
    "ﾊﾝｶｸ ｶﾀｶﾅ ＦＵＬＬ ｗｉｄｔｈ！",
    "が か\u3099 パ ハ\u309a ー々〆ヶ",
    "안녕하세요, 세계! 한국어 테스트입니다.",
    "\u1112\u1161\u11ab\u1100\u1173\u11af ㅎㅏㄴ",
    "𠮷野家で𩸽を食べる",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒎𝒂𝒕𝒉 𝟙𝟚𝟛 𝕬",
    "😀😃😄 🎉🎊 ❤️ ☺️ ✌🏽 👍🏿",
    "👨‍👩‍👧‍👦 👩🏽‍💻 🏳️‍🌈 🧑‍🚀",
    "🇩🇪🇫🇷🇯🇵 🇺🇳 flags",
    "keycaps 1️⃣ 2️⃣ #️⃣ *️⃣",
    "text😀text 😀 1😀2",
    "e\u0301 cafe\u0301 n\u0303 A\u030a o\u0308\u0323",
    "é café ñ Å ö̩",
    "Z\u0351\u036b\u0343a\u0328\u0323l\u0334g\u0321o\u035d",
    "\u0301 starts with a mark, a \u0301 b",
    "\u212b \u2126 \u212a \u0340 \u0374 \u037e \u2000 \uf900 \u1e9b\u0323 \u0958 \ufb1d \u2adc",
    "ﬁ ﬂ ﬀ ﬆ ŉ ǆ ǅ Ǆ ß ẞ",
    "\U0001d15e \U0001d1bb \U00011099\U000110ba",
    "\u0000 nul \u0001 \u0004 \u0006 \u0013 \u001b[31mred\u001b[0m \u007f",
    "private \ue000 \uf8ff \U000f0000 \U0010fffd noncharacter \uffff \ufdd0",
    "replacement \ufffd character",
    "def f(x: int) -> int:\n    return x ** 2 if x > 0 else -x\n",
    "class A(B):\n\t\"\"\"Doc.\"\"\"\n\tdef __init__(self, *args, **kwargs):\n\t\tsuper().__init__()\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i] * 2.0f; } // loop\n",
    "func greet(_ name: String) -> String { \"Hello, \\(name)!\" }",
    "let x = [1, 2, 3].map { $0 * 2 }.filter { $0 > 2 }",
    "SELECT id, COUNT(*) FROM users WHERE name LIKE '%a''b%' GROUP BY id;",
    "<div class=\"a b\" data-x='1'>text &amp; more</div><!-- c -->",
    "{\"key\": [1, 2.5, null, true], \"nested\": {\"a\": \"b\\n\"}}",
    "#!/bin/sh\nset -eu\nfor f in *.txt; do echo \"$f\" | sed 's/a/b/g' >> out; done\n",
    "https://example.com/path?query=1&other=two#fragment user@example.org",
    "C:\\Users\\Name\\file.txt /usr/local/bin ~/.config",
    "| a | b |\n|---|:-:|\n| 1 | 2 |\n",
    "# Heading\n\n* item *emphasis* **strong**\n  1. nested `code`\n\n```swift\nlet a = 1\n```\n",
    "camelCase PascalCase snake_case kebab-case SCREAMING_CASE __dunder__",
    "if(a&&b||!c){d=e?f:g;}",
    "\\begin{equation} E = mc^2 \\end{equation}",
    "                                        forty spaces",
    "\t\t\t\t\t\t\t\ttabs",
    "====================================================================",
    "----- ***** +++++ ~~~~~ #####",
    "<|im_start|>user\nHello<|im_end|>\n",
    "<|im_start|><|im_end|><|endoftext|>",
    "text<|endoftext|>text <|endoftext|> text",
    "<|im_start|",
    "<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nHi 'LL<|im_end|>\n<|im_start|>assistant\n",
    "<|im_end|>>><<|im_end|>",
    "<|im_end|>   x <|im_end|>      [MASK]   ",
    "<repo_name>a/b<file_sep>c.py<filename>d<reponame>",
    "<issue_start><issue_comment>x<issue_closed> <jupyter_start> <empty_output>",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
    "<tool_call>{\"name\": \"f\"}</tool_call> <tool_call >",
    "< |im_end|> <|im_end |> <|IM_END|> <|im_end|>",
    "\u0130<|im_end|>\u0301",
    "[MASK] x [MASK]y z[MASK] a[WORD]b a [WORD] b, [WORD].[WORD]",
    "caf\u00e9token cafe\u0301token",
    "<|a|><|a|b|> <|a|b|><|a",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "pneumonoultramicroscopicsilicovolcanoconiosis" * 3,
    "a" * 31,
    "a" * 32,
    "a" * 33,
    "a" * 500,
    "ab" * 200,
    "the" * 100,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "ACGTTGCAACGTTAGC" * 20,
    "0123456789" * 20,
    "漢" * 120,
    "😀" * 60,
    "\u0301" * 60,
    " " * 100,
    "\n" * 100,
    " \n" * 60,
    "!" * 100,
    "aGVsbG8gd29ybGQgYmFzZTY0IGVuY29kZWQgdGV4dA==",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "contexture Contexture contexturecontexture",
    "Perceive the scene: a cyclist at the crossing, 12.5 m ahead, signal amber.\nAnswer:",
    "A. turn left B. turn right C. stop D. go straight",
    "What is the correct answer?\n\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: B",
]

WORDS = (
    "the model learns a road scene where every agent moves and each signal changes while rain falls on the "
    "street and people wait at the crossing for a bus that never comes because traffic is slow today "
    "engineers measure latency throughput memory bandwidth and accuracy before they decide which task to train"
).split()

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<tool_call>", "[MASK]", "[WORD]"]
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2003", "\u200b", " \n ", "\u0085"]
PUNCTUATION = [".", ",", "!", "?", "...", "'s", "'LL", "'", "\"", "(", ")", "-", "—", "/", "_", "#", "%", "。", "，"]


def assigned_scalars():
    """Every scalar that this Python's Unicode assigns, private use and surrogates aside."""
    return [
        chr(value)
        for value in range(0x110000)
        if unicodedata.category(chr(value)) not in ("Cn", "Cs", "Co")
    ]


def mixes(seed):
    """Random joins of fragments, single scalars from all of Unicode, spaces, digits and special tokens."""
    generator = random.Random(seed)
    scalars = assigned_scalars()
    lines = [line for line in LINES if line and len(line) < 200]
    result = []
    for _ in range(160):
        parts = []
        for _ in range(generator.randint(2, 24)):
            kind = generator.randrange(10)
            if kind < 3:
                parts.append(generator.choice(WORDS))
            elif kind < 5:
                parts.append(generator.choice(SPACES))
            elif kind == 5:
                parts.append(str(generator.randrange(10 ** generator.randint(1, 9))))
            elif kind == 6:
                parts.append(generator.choice(PUNCTUATION))
            elif kind == 7:
                line = generator.choice(lines)
                start = generator.randrange(len(line))
                parts.append(line[start : start + generator.randint(1, 12)])
            elif kind == 8:
                parts.append("".join(generator.choice(scalars) for _ in range(generator.randint(1, 6))))
            else:
                parts.append(generator.choice(SPECIAL) if generator.random() < 0.4 else " ")
        result.append("".join(parts))
    for _ in range(40):
        result.append("".join(generator.choice(scalars) for _ in range(generator.randint(1, 60))))
    for _ in range(40):
        alphabet = generator.choice(["ab", "aA1 ", "'slt ", " \n\r", "  1a!", "é\u0301e ", "人a 1"])
        result.append("".join(generator.choice(alphabet) for _ in range(generator.randint(1, 80))))
    return result


def corpus(seed):
    return LINES + mixes(seed)


def training_text(seed):
    """What the small models are trained on: the corpus, and sentences of common words."""
    generator = random.Random(seed + 1)
    sentences = []
    for _ in range(1500):
        words = [generator.choice(WORDS) for _ in range(generator.randint(4, 14))]
        if generator.random() < 0.3:
            words.insert(generator.randrange(len(words)), str(generator.randrange(10000)))
        sentences.append(" ".join(words).capitalize() + generator.choice([".", "!", "?", ".\n"]))
    return corpus(seed) + sentences

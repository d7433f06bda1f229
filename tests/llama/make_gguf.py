"""Makes a tiny language model with random weights, in the form that llama.cpp loads: python make_gguf.py model.gguf

It is a Llama of two layers and says nothing but noise, the same noise every time. It reads any text, byte by byte if it
must, and answers in printable characters: the output weights of all other tokens, the end of the answer among them, are
zero, so that with a temperature of 0 they are never the likeliest. Its vectors are means over the text.
"""

import string
import sys

import gguf
import numpy

WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT = 64, 2, 4, 128, 8192

SPECIAL = [("<unk>", gguf.TokenType.UNKNOWN), ("<s>", gguf.TokenType.CONTROL), ("</s>", gguf.TokenType.CONTROL)]
BYTES = [(f"<0x{byte:02X}>", gguf.TokenType.BYTE) for byte in range(256)]
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # As SentencePiece writes it.
PIECES = [*SPACE, *string.ascii_letters, *string.digits, *".,!?"]
PRINTABLE = [(piece, gguf.TokenType.NORMAL) for piece in PIECES]
TOKENS = SPECIAL + BYTES + PRINTABLE

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant: "
)


def write(path):
    writer = gguf.GGUFWriter(path, "llama")
    write_shape(writer)
    write_tokenizer(writer)
    write_weights(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_shape(writer):
    writer.add_name("noise")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def write_tokenizer(writer):
    texts, kinds = zip(*TOKENS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(texts)
    writer.add_token_scores([0.0] * len(TOKENS))
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)


def write_weights(writer):
    random = numpy.random.default_rng(20260101)

    def matrix(rows, columns):
        return random.normal(0, 0.5, (rows, columns)).astype(numpy.float32)

    output = matrix(len(TOKENS), WIDTH)
    output[: len(SPECIAL + BYTES)] = 0
    writer.add_tensor("token_embd.weight", matrix(len(TOKENS), WIDTH))
    writer.add_tensor("output_norm.weight", numpy.ones(WIDTH, numpy.float32))
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", numpy.ones(WIDTH, numpy.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", matrix(WIDTH, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_gate.weight", matrix(HIDDEN, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_up.weight", matrix(HIDDEN, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_down.weight", matrix(WIDTH, HIDDEN))


if __name__ == "__main__":
    write(sys.argv[1])

#!/usr/bin/env python3
"""Makes the fonts beside it, that invoices are written in, from those of Debian's packages fonts-noto-core,
fonts-droid-fallback and fonts-nanum. Needs fonttools 4.68.

    subset.py <folder with the packages unpacked>
"""

import io
import lzma
import pathlib
import sys

from fontTools import subset
from fontTools.ttLib import TTFont

HERE = pathlib.Path(__file__).parent
NOTO = "usr/share/fonts/truetype/noto/"
NANUM = "usr/share/fonts/truetype/nanum/NanumBarunGothic.ttf"
DROID = "usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"


def span(*ranges):
    return {code for first, last in ranges for code in range(first, last + 1)}


def charset(codec, first, last):
    """What a two-byte character set has, from one lead byte to another."""
    found = set()
    for lead in range(first, last + 1):
        for trail in range(0x40, 0xFF):
            try:
                text = bytes([lead, trail]).decode(codec)
            except UnicodeDecodeError:
                continue
            found.update(map(ord, text))
    return found


# Latin with its extensions (Vietnamese, African, transliterations), Greek with accents, Cyrillic with extensions, and signs.
EUROPE = span(
    (0x20, 0x7E), (0xA0, 0x24F), (0x259, 0x259), (0x2B0, 0x2DD), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F),
    (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2010, 0x2027), (0x2030, 0x203A), (0x2044, 0x2044), (0x2070, 0x209C),
    (0x20A0, 0x20BF), (0x2113, 0x2116), (0x2122, 0x2122), (0x2153, 0x215E), (0x2190, 0x2199), (0x2212, 0x2215),
    (0x221E, 0x221E), (0x2248, 0x2248), (0x2260, 0x2265), (0x25CC, 0x25CC), (0xFB00, 0xFB04), (0xFFFD, 0xFFFD),
)
BOLD = span((0x20, 0x7E), (0xA0, 0x17F), (0x218, 0x21B), (0x2010, 0x2026), (0x20AC, 0x20AC), (0x2212, 0x2212))
# Ideographs in daily use: the first levels of GB 2312, JIS X 0208 and Big5; kana, bopomofo, and full-width signs.
HAN = (
    charset("gb2312", 0xB0, 0xD7) | charset("shift_jis", 0x88, 0x97) | charset("big5", 0xA4, 0xC6)
    | span((0x3000, 0x303F), (0x3041, 0x30FF), (0x3105, 0x312F), (0xFF01, 0xFFEE))
    | set(map(ord, "髙﨑桒栁濵邉邊齋齊淵彅惠榮條澤龍櫻廣實濱豐壽萬與瀨亞圓國"))
)
# The syllables of KS X 1001; and the box that stands for what no font has.
HANGUL = charset("euc_kr", 0xB0, 0xC8) | span((0x25A1, 0x25A1), (0x3131, 0x318E))
# What stands between words is in all that have it, so that a name stays in one font.
PUNCTUATION = span((0x20, 0x2F))
ARABIC = span((0x60C, 0x60C), (0x61B, 0x61F), (0x621, 0x6D5), (0x6F0, 0x6F9), (0x200C, 0x200F))
FONTS = {
    "latin.ttf": (NOTO + "NotoSans-Regular.ttf", EUROPE),
    "latin-bold.ttf": (NOTO + "NotoSans-Bold.ttf", BOLD),
    "arabic.ttf": (NOTO + "NotoSansArabic-Regular.ttf", ARABIC),
    "hebrew.ttf": (NOTO + "NotoSansHebrew-Regular.ttf", span((0x591, 0x5F4))),
    "devanagari.ttf": (NOTO + "NotoSansDevanagari-Regular.ttf", span((0x900, 0x97F), (0x200C, 0x200D), (0x25CC, 0x25CC))),
    "thai.ttf": (NOTO + "NotoSansThai-Regular.ttf", span((0xE01, 0xE5B), (0x25CC, 0x25CC))),
    "hangul.ttf": (NANUM, HANGUL),
    "han.ttf": (DROID, HAN - EUROPE),
}


def rename(font, name):
    """A changed font may not be called by a reserved name (SIL Open Font License, 3)."""
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6):
            record.string = name.replace(" ", "") if record.nameID == 6 else name


def pack(file):
    """As LZMA, which is a fifth smaller than what a zip makes of it. Who unpacks it needs as much memory as it says."""
    memory = 1 << (len(file) - 1).bit_length()
    method = {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": memory}
    return lzma.compress(file, format=lzma.FORMAT_ALONE, filters=[method])


def main():
    source = pathlib.Path(sys.argv[1])
    for name, (path, codes) in FONTS.items():
        font = TTFont(source / path, recalcTimestamp=False)
        options = subset.Options(
            hinting=False, desubroutinize=True, notdef_outline=True, glyph_names=False, legacy_kern=False,
            name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14], recalc_timestamp=False, layout_closure=True,
            drop_tables=["DSIG", "LTSH", "VDMX", "hdmx", "gasp", "vhea", "vmtx", "MVAR", "STAT"] + ["GSUB", "GPOS", "GDEF"] * (name in ("han.ttf", "hangul.ttf")),
        )
        shaper = subset.Subsetter(options)
        shaper.populate(unicodes=sorted(codes | PUNCTUATION))
        shaper.subset(font)
        if path == NANUM:
            rename(font, "LMO Hangul")
        file = io.BytesIO()
        font.save(file)
        packed = pack(file.getvalue())
        (HERE / f"{name}.lzma").write_bytes(packed)
        print(f"{name}: {len(font.getBestCmap())} characters, {len(packed)} bytes")


main()

"""Makes the files that readers are tried on, byte by byte: good ones and hostile ones."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def make_pdf(pages: Sequence[str], *, encrypted: bool = False) -> bytes:
    """A PDF whose pages hold these lines of ASCII; "" makes a page without text."""
    contents = [_content(page) for page in pages]
    return _pdf([zlib.compress(content) for content in contents], encrypted=encrypted)


def make_pdf_bomb(megabytes: int) -> bytes:
    """A PDF of one page, whose stream is that large when it is unpacked, and small before."""
    packer = zlib.compressobj(9)
    line = b"(" + b"x" * 998 + b") Tj\n"
    packed = [packer.compress(b"BT /F1 12 Tf 72 720 Td\n")]
    packed += [packer.compress(line * 1000) for _ in range(megabytes)]
    packed.append(packer.compress(b"ET") + packer.flush())
    return _pdf([b"".join(packed)])


def _content(page: str) -> bytes:
    if not page:
        return b"0 0 m 100 100 l S"
    lines = "".join(f"({line}) Tj T*\n" for line in page.splitlines())
    return f"BT /F1 12 Tf 14 TL 72 720 Td\n{lines}ET".encode("ascii")


def _pdf(streams: Sequence[bytes], *, encrypted: bool = False) -> bytes:
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for index, stream in enumerate(streams):
        page = (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792]"
            f" /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * index} 0 R >>"
        )
        head = f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n"
        objects += [page.encode(), head.encode() + stream + b"\nendstream"]
    lock = b""
    if encrypted:
        # No password matches these check values, which is all that it takes.
        objects.append(
            b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <"
            + b"41" * 32
            + b"> /U <"
            + b"42" * 32
            + b"> >>"
        )
        lock = f"/Encrypt {len(objects)} 0 R /ID [<01> <01>] ".encode()
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + body + b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.writelines(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    size = f"<< /Size {len(objects) + 1} /Root 1 0 R ".encode()
    out.write(b"trailer\n" + size + lock + f">>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def make_zip(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def make_docx(body: str, **others: str) -> bytes:
    """A DOCX file: the XML in its body, and other files such as `styles` and `footnotes`."""
    document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    files = {"word/document.xml": document.encode()}
    files |= {f"word/{name}.xml": text.encode() for name, text in others.items()}
    return make_zip(files)


def paragraph(text: str, style: str = "", *, is_item: bool = False) -> str:
    """A paragraph of a DOCX file."""
    wish = f'<w:pStyle w:val="{style}"/>' if style else ""
    wish += "<w:numPr/>" if is_item else ""
    return f"<w:p><w:pPr>{wish}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"

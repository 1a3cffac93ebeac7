"""Sentences in languages other than English, and which language a question wants."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ultrai_sim.phrases import ENGLISH, Tongue

FRENCH = Tongue(
    openings=(
        "En résumé, {a} dépend surtout de {b}.",
        "Pour bien comprendre {a}, il faut partir de {b}.",
        "La réponse honnête sur {a} : cela dépend de {b}.",
    ),
    middles=(
        "D’abord, {a} change dès que l’on mesure {b}.",
        "Une vue naïve de {a} oublie pourquoi {b} est essentiel.",
        "Par exemple, lorsque {b} double, {a} bouge à peine (environ 5 %).",
        "Cependant, personne n’a démontré que {a} et {b} sont indépendants.",
        "C’est là que {b} prend tout son sens.",
        "À l’échelle d’une journée, {a} reste presque immobile.",
        "Le cœur du problème, c’est l’ordre : {b} avant {a}.",
    ),
    closings=("Voilà pourquoi {a} en vaut la peine.", "Bref : {a} d’abord, {b} ensuite."),
    asides=("« Petit à petit, l’oiseau fait son nid. »", "Même au café ☕️, on en discute."),
    returns="Pour revenir à {c}, dont nous parlions : {a} change la donne.",
    reports="D’après l’outil, {r}",
    greeting="Bonjour ! Comment puis-je vous aider ?",
    plain=("le contexte", "la pratique"),
    yes="Oui",
    no="Non",
)
GERMAN = Tongue(
    openings=(
        "Kurz gesagt hängt {a} davon ab, wie sich {b} verhält.",
        "Um {a} zu verstehen, beginnt man am besten mit {b}.",
        "Die ehrliche Antwort zu {a} lautet: Es kommt auf {b} an.",
    ),
    middles=(
        "Zunächst ändert sich {a}, sobald man {b} misst.",
        "Eine naïve Sicht auf {a} übersieht, warum {b} zählt.",
        "Verdoppelt sich zum Beispiel {b}, so bewegt sich {a} kaum (etwa 5 %).",
        "Allerdings hat niemand gezeigt, dass {a} und {b} unabhängig sind.",
        "„{a} klein halten“ ist der übliche Rat, und er ist vernünftig.",
        "Entscheidend ist die Reihenfolge: erst {b}, dann {a}.",
        "Größere Versuche aus Zürich bestätigen das.",
    ),
    closings=("Deshalb lohnt sich {a}.", "Alles Übrige an {a} ist Nebensache."),
    asides=("Übung macht den Meister 🧑‍🎓.", "(Das Wort „Straße“ hat nur einen Buchstaben ß.)"),
    returns="Zurück zu {c}, wonach Sie gefragt hatten: {a} ändert das Bild.",
    reports="Laut dem Werkzeug: {r}",
    greeting="Hallo! Wie kann ich helfen?",
    plain=("der Zusammenhang", "die Übung"),
    yes="Ja",
    no="Nein",
)
SPANISH = Tongue(
    openings=(
        "En resumen, {a} depende de cómo se comporta {b}.",
        "Para entender {a}, lo mejor es empezar por {b}.",
        "¿La respuesta sincera sobre {a}? Depende de {b}.",
    ),
    middles=(
        "Primero, {a} cambia en cuanto se mide {b}.",
        "Una visión ingenua de {a} olvida por qué importa {b}.",
        "Por ejemplo, cuando {b} se duplica, {a} apenas se mueve (un 5 %).",
        "Sin embargo, nadie ha demostrado que {a} y {b} sean independientes.",
        "¡Aquí es donde {b} demuestra su valor!",
        "El año pasado, en España, {a} fue noticia más de una vez.",
        "Lo que cuenta es el orden: {b} antes que {a}.",
    ),
    closings=("Por eso {a} merece la pena.", "En fin: primero {a}, después {b}."),
    asides=("Como dice el refrán: «más vale tarde que nunca».", "Un 👨‍🍳 lo entendería enseguida."),
    returns="Volviendo a {c}, que mencionó antes: {a} cambia el panorama.",
    reports="Según la herramienta, {r}",
    greeting="¡Hola! ¿En qué puedo ayudarle?",
    plain=("el contexto", "la práctica"),
    yes="Sí",
    no="No",
)
RUSSIAN = Tongue(
    openings=(
        "Если коротко, {a} зависит от того, как ведёт себя {b}.",
        "Чтобы понять {a}, проще всего начать с {b}.",
        "Честный ответ про {a}: всё зависит от {b}.",
    ),
    middles=(
        "Во-первых, {a} меняется, как только измеряют {b}.",
        "Наивный взгляд на {a} упускает, почему важно {b}.",
        "Например, когда {b} удваивается, {a} почти не меняется (около 5 %).",
        "Однако никто не доказал, что {a} и {b} независимы.",
        "Главное — порядок: сначала {b}, потом {a}.",
        "Именно здесь {b} становится по-настоящему полезным.",
    ),
    closings=("Вот почему {a} стоит усилий.", "Итак: сначала {a}, затем {b}."),
    asides=("Как говорится, «тише едешь — дальше будешь».", "№ 1 в этом списке — терпение."),
    returns="Возвращаясь к {c}, о чём вы спрашивали: {a} меняет картину.",
    reports="По данным инструмента: {r}",
    greeting="Здравствуйте! Чем могу помочь?",
    plain=("контекст", "практика"),
    yes="Да",
    no="Нет",
)
CHINESE = Tongue(
    openings=(
        "简单来说，{a}取决于{b}的表现。",
        "要理解{a}，最好先从{b}开始。",
        "关于{a}，诚实的回答是：要看{b}。",
    ),
    middles=(
        "首先，一旦测量{b}，{a}就会发生变化。",
        "例如，当{b}加倍时，{a}几乎不变（大约5%）。",
        "然而，没有人证明{a}和{b}是相互独立的。",
        "在实践中，顺序最重要：先{b}，后{a}。",
        "很多人是通过{b}认识{a}的，这是一个很好的起点。",
        "这正是{b}发挥作用的地方。",
    ),
    closings=("这就是{a}值得努力的原因。", "总之：先{a}，再{b}。"),
    asides=("俗话说：“千里之行，始于足下。”", "就像一家人👨‍👩‍👧共用一把伞。"),
    returns="回到您之前问的{c}：{a}改变了情况。",
    reports="根据工具的结果：{r}",
    greeting="您好！有什么可以帮您？",
    plain=("背景", "实践"),
    yes="是",
    no="否",
    joint="",
)
JAPANESE = Tongue(
    openings=(
        "簡単に言えば、{a}は{b}のふるまい次第です。",
        "{a}を理解するには、まず{b}から始めるのがよいでしょう。",
    ),
    middles=(
        "まず、{b}を測定すると{a}は変化します。",
        "例えば、{b}が二倍になっても{a}はほとんど動きません（約５％）。",
        "ただし、{a}と{b}が独立だと示した人はいません。",
        "大切なのは順番です。{b}が先、{a}は後です。",
        "ここで{b}が役に立ちます。",
    ),
    closings=("だからこそ、{a}は努力する価値があります。", "要するに、まず{a}、次に{b}です。"),
    asides=("「石の上にも三年」と言います。", "カフェで☕️一息つくのも悪くありません。"),
    returns="先ほどの{c}に戻ると、{a}で話が変わります。",
    reports="ツールによると、{r}",
    greeting="こんにちは！何かお手伝いできますか？",
    plain=("文脈", "実践"),
    yes="はい",
    no="いいえ",
    joint="",
)
KOREAN = Tongue(
    openings=(
        "간단히 말해 {a}의 핵심은 {b}입니다.",
        "{a}을(를) 이해하려면 {b}부터 보는 것이 좋습니다.",
    ),
    middles=(
        "먼저, {b}을(를) 측정하는 순간 {a}이(가) 달라집니다.",
        "예를 들어 {b}이(가) 두 배가 되어도 {a}은(는) 거의 변하지 않습니다(약 5%).",
        "중요한 것은 순서입니다: {b}이(가) 먼저입니다.",
        "바로 여기서 {b}의 가치가 드러납니다.",
    ),
    closings=("그래서 {a}은(는) 노력할 가치가 있습니다.",),
    asides=("“천 리 길도 한 걸음부터”라는 말이 있지요.",),
    returns="앞서 물어보신 {c}(으)로 돌아가면, {a} 때문에 상황이 달라집니다.",
    reports="도구에 따르면, {r}",
    greeting="안녕하세요! 무엇을 도와드릴까요?",
    plain=("맥락", "실천"),
    yes="네",
    no="아니요",
)
ARABIC = Tongue(
    openings=("باختصار، يعتمد {a} على سلوك {b}.", "لفهم {a} من الأفضل أن نبدأ من {b}."),
    middles=(
        "أولاً، يتغير {a} بمجرد قياس {b}.",
        "على سبيل المثال، عندما يتضاعف {b} يكاد {a} لا يتحرك (نحو ٥٪).",
        "ومع ذلك لم يثبت أحد أن {a} و{b} مستقلان.",
        "المهم هو الترتيب: {b} أولاً ثم {a}.",
    ),
    closings=("لهذا يستحق {a} العناء.",),
    asides=("وكما يقال: «من جدّ وجد».",),
    returns="بالعودة إلى {c} الذي سألت عنه: {a} يغيّر الصورة.",
    reports="وفقاً للأداة، {r}",
    greeting="مرحباً! كيف يمكنني مساعدتك؟",
    plain=("السياق", "الممارسة"),
    yes="نعم",
    no="لا",
)

TONGUES: Mapping[str, Tongue] = {
    "french": FRENCH,
    "german": GERMAN,
    "spanish": SPANISH,
    "russian": RUSSIAN,
    "chinese": CHINESE,
    "japanese": JAPANESE,
    "korean": KOREAN,
    "arabic": ARABIC,
    "english": ENGLISH,
}
NAMED = re.compile(
    r"\b(?:in|into|en|auf) (french|german|spanish|russian|chinese|japanese|korean|arabic|english"
    r"|français|deutsch|español)\b",
    re.IGNORECASE,
)
OWN_NAMES: Mapping[str, str] = {"français": "french", "deutsch": "german", "español": "spanish"}
# By script, the first that has letters in the question; kana before ideographs.
SCRIPTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("[\u3040-\u30ff]"), "japanese"),
    (re.compile("[\uac00-\ud7af]"), "korean"),
    (re.compile("[\u4e00-\u9fff]"), "chinese"),
    (re.compile("[\u0400-\u04ff]"), "russian"),
    (re.compile("[\u0600-\u06ff]"), "arabic"),
)
# By small words; two of them decide.
SMALL_WORDS: Mapping[str, re.Pattern[str]] = {
    "french": re.compile(r"\b(?:le|la|les|des|une?|est|et|pour|comment|pourquoi|que|quels?|du)\b"),
    "german": re.compile(r"\b(?:der|die|das|und|ist|ein|eine|wie|was|warum|nicht|mir|bitte)\b"),
    "spanish": re.compile(r"\b(?:el|los|las|una?|es|por|para|qué|cómo|cuál|de|y)\b"),
}
ENGLISH_WORDS = re.compile(r"\b(?:the|is|are|of|and|to|what|how|why|in|a|with|me)\b")
LEAST_SMALL_WORDS = 2


def tongue_of(asked: str, instructions: str = "") -> Tongue:
    """The language to answer in: the one asked for by name, else the question's own."""
    named = NAMED.search(asked) or NAMED.search(instructions)
    if named:
        name = named[1].lower()
        return TONGUES[OWN_NAMES.get(name, name)]
    if asked.isascii() and ENGLISH_WORDS.search(asked):
        return ENGLISH
    for script, name in SCRIPTS:
        if len(script.findall(asked)) * 4 > len(asked):
            return TONGUES[name]
    text = asked.lower()
    hits = [(len(words.findall(text)), name) for name, words in SMALL_WORDS.items()]
    most, name = max(hits)
    enough = most >= LEAST_SMALL_WORDS and most > len(ENGLISH_WORDS.findall(text))
    return TONGUES[name] if enough else ENGLISH

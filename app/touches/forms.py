"""Which forms make a lead: those that the site names, else all but log-in, check-out, newsletter, search and password forms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from app.sites.settings import SiteSettings

_LOG_IN = """
    login logon signin logout signout authenticate auth mfa otp twofactor 2fa einloggen connexion seconnecter identification
    iniciarsesion accesoclientes entrar iniciarsessao acessar accedi accesso inloggen aanmelden logind loggain logginn
    kirjaudu zaloguj logowanie prihlaseni prihlasit prihlasenie bejelentkezes autentificare girisyap oturumac sisseenkanne
    voiti вход войти авторизация увійти вхід تسجيلالدخول דخول התחברות ログイン サインイン 登录 登入 登錄 로그인 เข้าสู่ระบบ
    đăngnhập dangnhap masuk
    लॉगिन
"""
_CHECK_OUT = """
    checkout cart basket payment billing placeorder paiement panier commande caisse kasse warenkorb zurkasse bezahlen bestellen
    carrito pago finalizarcompra tramitarpedido carrinho pagamento finalizarpedido carrello cassa afrekenen winkelwagen betaling
    kassa varukorg kurv handlekurv kassalle ostoskori koszyk platnosc zamowienie kosik pokladna kosar penztar cosulmeu
    sepet odeme оплата корзина оформлениезаказа кошик оформленнязамовлення سلةالتسوق الدفع לתשלום
    購入手続き カート お支払い 结账 结帳 結帳 购物车 購物車 支付 付款 결제 장바구니 ชำระเงิน thanhtoan giohang keranjang pembayaran
"""
_NEWSLETTER = """
    newsletter newsletters subscribe subscription mailinglist maillist mailchimp unsubscribe optout emailpreferences
    infolettre abonnezvous sabonner rundbrief boletin suscribirse suscribete suscripcion boletim assinar iscriviti
    nieuwsbrief nyhedsbrev nyhetsbrev nyhetsbrevet uutiskirje biuletyn zpravodaj hirlevel bulten ebulten haberbulteni
    рассылка подписка подписаться розсилка підписка النشرةالبريدية ניוזלטר
    メルマガ メールマガジン ニュースレター 订阅 訂閱 电子报 電子報 뉴스레터 구독 จดหมายข่าว bantin berlangganan
"""
_CREDENTIALS = """
    password passwd forgotpassword resetpassword lostpassword passwordreset changepassword passwort kennwort motdepasse
    contrasena clave senha palavrapasse parola wachtwoord adgangskode losenord passord salasana haslo heslo jelszo sifre
    пароль كلمةالمرور סיסמה パスワード 密码 密碼 비밀번호 รหัสผ่าน matkhau katasandi
"""
_SEARCH = """
    search searchbox sitesearch find recherche rechercher suche suchen buscar busqueda busca pesquisar cerca ricerca zoeken
    sok sog haku szukaj wyszukiwarka hledat kereses cautare ara arama поиск пошук بحث חיפוש 検索 搜索 搜尋 검색 ค้นหา timkiem cari
"""
_FORM_WORDS = ("form", "formular", "formulaire", "formulario")
_LONGEST_PHRASE = 3
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
_PAGE_ENDING = re.compile(r"\.(html?|php|aspx?|jsp)$")


def is_lead_form(name: str, path: str, settings: SiteSettings) -> bool:
    """Whether submitting a form of this name, on a page of this path, makes a lead under the site's settings."""
    if settings.lead_forms is not None:
        return _folded_name(name) in {_folded_name(named) for named in settings.lead_forms}
    return not (_name_says_otherwise(name) or _path_says_otherwise(path))


def needs_email(settings: SiteSettings) -> bool:
    """Whether a form makes a lead only with an e-mail: where the site has not named its lead forms."""
    return settings.lead_forms is None


def _folded_name(name: str) -> str:
    return " ".join(name.lower().split())


def _folded(text: str) -> str:
    """Lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(char for char in decomposed if not unicodedata.combining(char)))


def _words(text: str) -> list[str]:
    return _WORD.findall(_folded(_CAMEL.sub(" ", text)))


def _phrases(words: list[str]) -> Iterable[str]:
    """Each run of up to three words, written together: `log`, `in`, `login`."""
    for start in range(len(words)):
        for length in range(1, _LONGEST_PHRASE + 1):
            yield "".join(words[start : start + length])


def _listed(*lists: str) -> frozenset[str]:
    return frozenset(_folded(word) for words in lists for word in words.split())


_ON_PATH = _listed(_LOG_IN, _CHECK_OUT, _NEWSLETTER, _CREDENTIALS)
_IN_NAME = _ON_PATH | _listed(_SEARCH)
_IN_NAME_WITHOUT_SPACES = tuple(sorted(word for word in _IN_NAME if _WITHOUT_SPACES.search(word)))


def _name_says_otherwise(name: str) -> bool:
    """Whether a phrase of the name is listed. Languages that put no spaces between words are searched through."""
    phrases = {_without_affixes(phrase) for phrase in _phrases(_words(name))}
    folded = _folded(name)
    return not phrases.isdisjoint(_IN_NAME) or any(word in folded for word in _IN_NAME_WITHOUT_SPACES)


def _path_says_otherwise(path: str) -> bool:
    """Whether a whole segment of the path is listed: `/log-in`, but not an article `/blog/how-to-log-in-faster`."""
    segments = (_PAGE_ENDING.sub("", segment) for segment in path.lower().split("/"))
    return any("".join(_words(segment)) in _ON_PATH for segment in segments)


def _without_affixes(phrase: str) -> str:
    """`login` for `loginform`, `frmlogin` and `login2`."""
    bare = phrase.rstrip("0123456789").removeprefix("frm")
    for word in _FORM_WORDS:
        bare = bare.removesuffix(word).removeprefix(word)
    return bare or phrase

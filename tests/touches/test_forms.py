"""Which forms make a lead."""

from __future__ import annotations

import pytest

from app.sites.settings import SiteSettings
from app.touches.forms import is_lead_form, needs_email


@pytest.mark.parametrize(
    ("name", "path", "is_lead"),
    [
        ("", "/", True),
        ("contact", "/contact", True),
        ("demo-request", "/demo", True),
        ("Get a quote", "/pricing", True),
        ("sign-up", "/signup", True),
        ("register", "/webinar", True),
        ("Kontaktformular", "/kontakt", True),
        ("お問い合わせ", "/contact", True),
        ("research-panel", "/", True),
        ("cartography-course", "/", True),
        ("", "/blog/how-to-log-in-faster", True),
        ("contact", "/search", True),
        ("log-in", "/", False),
        ("Login", "/", False),
        ("loginForm", "/", False),
        ("frmLogin", "/", False),
        ("login_form_2", "/", False),
        ("Log in", "/", False),
        ("sign-in", "/", False),
        ("", "/log-in", False),
        ("", "/login.php", False),
        ("", "/account/signin/", False),
        ("checkout", "/", False),
        ("check-out", "/", False),
        ("", "/checkout/step-2", False),
        ("Warenkorb", "/", False),
        ("newsletter", "/", False),
        ("footer-newsletter-signup", "/", False),
        ("Subscribe", "/", False),
        ("Rundbrief", "/", False),
        ("S'abonner", "/", False),
        ("search", "/", False),
        ("reset-password", "/", False),
        ("mot de passe oublié", "/", False),
        ("contraseña", "/", False),
        ("вход", "/", False),
        ("ログインフォーム", "/", False),
        ("会员登录", "/", False),
        ("로그인", "/", False),
        ("تسجيل الدخول", "/", False),
        ("đăng nhập", "/", False),
    ],
)
def test_the_default_judges_by_name_and_path(name: str, path: str, is_lead: bool) -> None:
    assert is_lead_form(name, path, SiteSettings()) is is_lead


def test_a_site_that_names_its_lead_forms_has_just_those() -> None:
    settings = SiteSettings(lead_forms=["Newsletter", "demo"])
    judged = {name: is_lead_form(name, "/login", settings) for name in (" newsletter ", "DEMO", "contact", "")}
    assert judged == {" newsletter ": True, "DEMO": True, "contact": False, "": False}


def test_only_the_default_asks_for_an_email() -> None:
    assert needs_email(SiteSettings()) is True
    assert needs_email(SiteSettings(lead_forms=[])) is False

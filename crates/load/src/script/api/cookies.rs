//! Cookie jars: the user's own, which every request goes with, and those that a script makes.

use std::cell::RefCell;
use std::rc::Rc;

use rquickjs::class::{JsClass, Readable};
use rquickjs::function::{Constructor, Opt, This};
use rquickjs::{Array, Class, Coerced, Ctx, Exception, Function, Object, Result, Value};

use super::super::host::host;
use super::super::raw::Held;
use super::values::{is_nothing, is_true, text};
use crate::jar::{Cookie, Jar};
use crate::sites::Target;

/// A jar as scripts see it.
pub(super) struct CookieJar(pub(super) Rc<RefCell<Jar>>);

type Of<'js> = This<Class<'js, Held<CookieJar>>>;

impl<'js> JsClass<'js> for Held<CookieJar> {
    const NAME: &'static str = "CookieJar";

    type Mutable = Readable;

    fn prototype(ctx: &Ctx<'js>) -> Result<Option<Object<'js>>> {
        let prototype = Object::new(ctx.clone())?;
        let put = |name: &str, function: Function<'js>| prototype.prop(name, function.with_name(name)?);
        put("set", Function::new(ctx.clone(), set)?)?;
        put("cookiesForURL", Function::new(ctx.clone(), cookies_for_url)?)?;
        put("clear", Function::new(ctx.clone(), clear)?)?;
        put("delete", Function::new(ctx.clone(), delete)?)?;
        Ok(Some(prototype))
    }

    fn constructor(ctx: &Ctx<'js>) -> Result<Option<Constructor<'js>>> {
        let make = |ctx: Ctx<'js>| Class::instance(ctx, Held(CookieJar(Rc::default())));
        Constructor::new_class::<Self, _, _>(ctx.clone(), make).map(Some)
    }
}

/// The user's own jar.
pub(super) fn own<'js>(ctx: Ctx<'js>) -> Result<Class<'js, Held<CookieJar>>> {
    let jar = Rc::clone(&host(&ctx).jar);
    Class::instance(ctx, Held(CookieJar(jar)))
}

/// The jar that a param names.
pub(super) fn of(value: &Value<'_>) -> Option<Rc<RefCell<Jar>>> {
    let jar = value.as_object().and_then(Class::<Held<CookieJar>>::from_object)?;
    let jar = Rc::clone(&jar.borrow().0.0);
    Some(jar)
}

fn target(ctx: &Ctx<'_>, url: &str) -> Result<Rc<Target>> {
    host(ctx).sites.target(url).map_err(|why| Exception::throw_message(ctx, &format!("{why}: {url}")))
}

fn set<'js>(
    ctx: Ctx<'js>,
    this: Of<'js>,
    url: Coerced<String>,
    name: Coerced<String>,
    value: Coerced<String>,
    options: Opt<Value<'js>>,
) -> Result<bool> {
    let target = target(&ctx, &url.0)?;
    let mut cookie = Cookie::default();
    (cookie.name, cookie.value, cookie.path) = (name.0, value.0, "/".to_owned());
    if let Some(options) = options.0.as_ref().and_then(Value::as_object) {
        for pair in options.props::<String, Value<'js>>() {
            let (key, value) = pair?;
            match key.to_ascii_lowercase().as_str() {
                "domain" => cookie.domain = text(&value)?,
                "path" => cookie.path = text(&value)?,
                "secure" => cookie.secure = is_true(&value),
                "http_only" => cookie.http_only = is_true(&value),
                #[allow(clippy::cast_possible_truncation, reason = "a number of seconds")]
                "max_age" => match value.get::<Coerced<f64>>()?.0 as i64 {
                    // It says nothing.
                    0 => {}
                    seconds => cookie.lasts(seconds),
                },
                "expires" => end(&ctx, &mut cookie, &value)?,
                _ => {}
            }
        }
    }
    this.0.borrow().0.0.borrow_mut().keep(cookie, &target.origin.host, &target.path);
    Ok(true)
}

/// A date, as the language reads it.
fn end<'js>(ctx: &Ctx<'js>, cookie: &mut Cookie, value: &Value<'js>) -> Result<()> {
    if is_nothing(value) {
        return Ok(());
    }
    let given = text(value)?;
    let date: Object<'js> = ctx.globals().get("Date")?;
    let parse: Function<'js> = date.get("parse")?;
    let ms: f64 = parse.call((given.as_str(),))?;
    if !ms.is_finite() {
        let text = format!("unable to parse \"expires\" date string \"{given}\": want `Wed, 21 Oct 2026 07:28:00 GMT`");
        return Err(Exception::throw_message(ctx, &text));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a date, clamped to the calendar's end")]
    let seconds = (ms / 1000.0).max(0.0) as u64;
    cookie.expires_s = Some(seconds);
    Ok(())
}

/// Names with lists of values.
fn cookies_for_url<'js>(ctx: Ctx<'js>, this: Of<'js>, url: Coerced<String>) -> Result<Object<'js>> {
    let target = target(&ctx, &url.0)?;
    let made = Object::new(ctx.clone())?;
    let jar = Rc::clone(&this.0.borrow().0.0);
    // Others may have their turn while the object is made, and a request under way may bring a cookie.
    let cookies: Vec<_> = {
        let jar = jar.borrow();
        jar.of(&target.origin.host, &target.path, target.origin.tls.is_some()).into_iter().cloned().collect()
    };
    for cookie in &cookies {
        let list: Option<Array<'js>> = made.get(cookie.name.as_str())?;
        let list = list.map_or_else(|| Array::new(ctx.clone()), Ok)?;
        list.set(list.len(), cookie.value.as_str())?;
        made.set(cookie.name.as_str(), list)?;
    }
    Ok(made)
}

fn clear<'js>(ctx: Ctx<'js>, this: Of<'js>, url: Coerced<String>) -> Result<()> {
    let target = target(&ctx, &url.0)?;
    this.0.borrow().0.0.borrow_mut().forget(&target.origin.host, &target.path, None);
    Ok(())
}

fn delete<'js>(ctx: Ctx<'js>, this: Of<'js>, url: Coerced<String>, name: Coerced<String>) -> Result<()> {
    let target = target(&ctx, &url.0)?;
    this.0.borrow().0.0.borrow_mut().forget(&target.origin.host, &target.path, Some(&name.0));
    Ok(())
}
